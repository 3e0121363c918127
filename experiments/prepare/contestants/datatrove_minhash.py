"""datatrove: MinHash of words' 5-grams, 14 buckets of 8 hashes, as FineWeb; four pipelines on its local executor."""

import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig

source, output = Path(sys.argv[1]), Path(sys.argv[2])
config = MinhashConfig(hash_config=HashConfig(precision=64), num_buckets=14, hashes_per_bucket=8, n_grams=5)
work = output / "work"


def reader() -> JsonlReader:
    """Reads the corpus."""
    return JsonlReader(str(source.parent), glob_pattern=source.name, id_key="id")


def main() -> None:
    """Read, drop near-duplicates, write the rest."""
    steps = [
        [reader(), MinhashDedupSignature(output_folder=str(work / "signatures"), config=config, language="en")],
        [
            MinhashDedupBuckets(
                input_folder=str(work / "signatures"), output_folder=str(work / "buckets"), config=config
            )
        ],
        [MinhashDedupCluster(input_folder=str(work / "buckets"), output_folder=str(work / "remove"), config=config)],
        [
            reader(),
            MinhashDedupFilter(input_folder=str(work / "remove")),
            JsonlWriter(str(output / "kept"), compression=None),
        ],
    ]
    for number, pipeline in enumerate(steps):
        tasks = 14 if number == 1 else 1
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=str(work / f"logs{number}")).run()


if __name__ == "__main__":
    main()
