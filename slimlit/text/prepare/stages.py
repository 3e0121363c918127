"""``Work``: what each stage of a preparation does, over the documents in the workplace."""

import json
from typing import TYPE_CHECKING, Any

from tqdm import tqdm  # type: ignore[import-untyped]

from slimlit.text.prepare.chunks import Counts, ReadChunk
from slimlit.text.prepare.clusters import find_duplicates, kept_documents
from slimlit.text.prepare.corpus import Corpus
from slimlit.text.prepare.documents import Files, Raw, read_blocks, read_raw
from slimlit.text.prepare.near_duplicates import NearDuplicates
from slimlit.text.prepare.parts import deal, decontaminate, write_parts
from slimlit.text.prepare.processes import each
from slimlit.text.prepare.report import write_report
from slimlit.text.prepare.workplace import Workplace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slimlit.text.prepare.preparation import Preparation

BLOCK_BYTES = 8 << 20  # of a chunk: what one process reads at once, and what a killed run reads again


class Work:
    """The stages of one preparation."""

    def __init__(self, settings: "Preparation", files: Files, workplace: Workplace) -> None:
        self.settings, self.files, self.workplace = settings, files, workplace
        self._like = settings.near_duplicates or NearDuplicates()
        self._corpus: Corpus | None = None

    def read(self) -> dict[str, Any]:
        """Read all documents in chunks; those that are there already are not read again."""
        settings, like = self.settings, self._like
        reader = ReadChunk(
            self.workplace, self.files, settings.text_column, settings.rules,
            (like.num_characters, like.num_bands, like.num_rows), settings.seed,
        )  # fmt: skip
        num_chunks = 0

        def missing() -> "Iterator[tuple[int, list[Raw]]]":
            nonlocal num_chunks
            for number, block in enumerate(read_blocks(read_raw(self.files, settings.unit), BLOCK_BYTES)):
                num_chunks = number + 1
                if not self.workplace.chunk(number, "json").is_file():
                    yield number, block

        with tqdm(desc="reading", unit="B", unit_scale=True, disable=None) as progress:
            for size in each(reader, missing(), settings.processes):
                progress.update(size)
        counts, sizes = Counts(rule.name for rule in settings.rules), []
        for number in range(num_chunks):
            found = json.loads(self.workplace.chunk(number, "json").read_bytes())
            counts.add(found)
            sizes.append(found["kept"])
        if not sum(sizes):
            raise ValueError(f"no document is left of {counts.counts['read']:,}: {_reasons(counts.counts['rejected'])}")
        return {
            **counts.counts,
            "sizes": sizes,
            "files": len(self.files.paths),
            "unknown files": len(self.files.unknown),
        }

    @property
    def corpus(self) -> Corpus:
        """The documents that were kept."""
        if self._corpus is None:
            done = self.workplace.report_of("documents")
            assert done is not None
            self._corpus = Corpus(self.workplace, done["sizes"], self._like.num_bands)
        return self._corpus

    def find_duplicates(self) -> dict[str, Any]:
        """Cluster the near-duplicates."""
        return find_duplicates(self.corpus, self._like, self.workplace)

    def write_parts(self) -> dict[str, Any]:
        """Split, decontaminate, and write the parts into the result."""
        settings = self.settings
        parts = deal(self.corpus, kept_documents(self.workplace, self.corpus), settings.split)
        found: dict[str, Any] = {}
        if settings.contained is not None and settings.split:
            found["contained"] = decontaminate(self.corpus, parts, self._like.num_characters, settings.contained)
        ending = ".jsonl" + ("" if settings.compression == "none" else f".{settings.compression}")
        names = ["train", *settings.split]
        return {**found, **write_parts(self.corpus, parts, names, self.workplace, ending, settings.shard_mib << 20)}

    def train_tokenizer(self) -> dict[str, Any]:
        """Make a tokenizer of the training part."""
        from slimlit.text.prepare.token_stages import train_on_parts

        assert self.settings.tokenizer is not None
        return train_on_parts(self.workplace, self.settings.tokenizer, self.settings.sources)

    def write_shards(self) -> dict[str, Any]:
        """Write the parts as tokens."""
        from slimlit.text.prepare.token_stages import shard_parts

        parts = self.workplace.report_of("parts")
        assert self.settings.shards is not None
        assert parts is not None
        return shard_parts(self.workplace, self.settings.shards, parts["parts"])

    def report(self, found: dict[str, dict[str, Any]]) -> None:
        """Write the reports, the settings and the manifest beside the parts."""
        write_report(self.workplace.result, self.settings.settings(), self.files, found)


def _reasons(rejected: dict[str, dict[str, Any]]) -> str:
    """What took the documents, and of the rule that took most the first one."""
    taken = {rule: found for rule, found in rejected.items() if found["documents"]}
    if not taken:
        return "the files are empty"
    most = max(taken, key=lambda rule: taken[rule]["documents"])
    first = taken[most]["samples"][0]
    return (
        ", ".join(f"{found['documents']:,} {rule}" for rule, found in taken.items())
        + f"\n{first['where']}: {first['why']}"
    )
