"""Trains and tests every run that is not there yet, then writes results.json and prints the table."""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from experiments.classification.plan import DATA_SETS, LOSSES, Job, jobs
from experiments.repeats import device, mean
from slimlit.__main__ import main as slimlit

HERE = Path(__file__).parent
KINDS = ["teacher", *LOSSES]


def main() -> None:
    """Run what is missing and report."""
    names = [data.name for data in DATA_SETS]
    parser = argparse.ArgumentParser(prog="python -m experiments.classification", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with sst2, banking77, ... and weights")
    parser.add_argument("--runs", type=Path, default=Path("runs/classification"), help="where runs are kept")
    parser.add_argument("--sets", nargs="+", default=names, choices=names)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    asked = parser.parse_args()
    file = HERE / "results.json"
    results: list[dict[str, Any]] = json.loads(file.read_text()) if file.is_file() else []
    for seed in asked.seeds:
        for job in jobs(asked.runs, asked.data, asked.sets, seed):
            if job.kind in asked.kinds:
                make(job, asked.runs)
                found = result_of(job, asked.runs / job.name)
                results = [one for one in results if not is_same(one, found)] + [found]
                file.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


def make(job: Job, runs: Path) -> None:
    """Train and test a run, where that is not done yet."""
    folder, place = runs / job.name, ["--run", job.name, "--runs", str(runs)]
    if not (folder / "student").is_dir():
        begun = (folder / "checkpoints" / "last.ckpt").is_file()
        if slimlit(["fit", *place, *(["--resume"] if begun else []), *job.options]):
            sys.exit(f"{job.name}: training failed")
    if not (folder / "reports" / "test.json").is_file() and slimlit(["test", *place, "--wandb=disabled"]):
        sys.exit(f"{job.name}: testing failed")


def is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two results are of one run made twice."""
    return all(one[key] == other[key] for key in ("data", "kind", "seed", "device"))


def result_of(job: Job, folder: Path) -> dict[str, Any]:
    """What the table needs of a run: its test scores and the size of its student."""
    scores = json.loads((folder / "reports" / "test.json").read_text())
    weights, words = count_weights(folder / "student")
    return {
        **{"data": job.data.title, "kind": job.kind, "seed": job.seed, "device": device()},
        **{"weights": weights, "word table": words},
        **scores,
    }


def count_weights(student: Path) -> tuple[int, int]:
    """Numbers in a saved student, and those of its word table alone."""
    from safetensors import safe_open

    sizes = {}
    with safe_open(student / "model.safetensors", "np") as file:
        for name in file.keys():  # noqa: SIM118 (not a dictionary)
            size = 1
            for side in file.get_slice(name).get_shape():
                size *= side
            sizes[name] = size
    return sum(sizes.values()), sum(size for name, size in sizes.items() if "word_embeddings" in name)


def table(results: list[dict[str, Any]]) -> str:
    """The table as Markdown: means over seeds, and how far the seeds lie apart (standard deviation)."""
    lines = ["| data | seeds | " + " | ".join(KINDS) + " | share kept | layers' weights | all weights |"]
    lines += ["|---" * (len(KINDS) + 5) + "|"]
    for data in DATA_SETS:
        found = {kind: [one for one in results if (one["data"], one["kind"]) == (data.title, kind)] for kind in KINDS}
        if not found["teacher"] or not found["distilled"]:
            continue
        right = {kind: [one["test/accuracy"] for one in ones] for kind, ones in found.items()}
        first = {kind: ones[0] for kind, ones in found.items() if ones}
        body = [first[kind]["weights"] - first[kind]["word table"] for kind in ("distilled", "teacher")]
        whole = [first[kind]["weights"] for kind in ("distilled", "teacher")]
        share = statistics.mean(right["distilled"]) / statistics.mean(right["teacher"])
        lines.append(
            f"| {data.title} | {len(right['distilled'])} | {' | '.join(mean(right[kind]) for kind in KINDS)} "
            f"| {share:.3f} | {body[0] / body[1]:.2f} | {whole[0] / whole[1]:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
