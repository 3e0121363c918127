"""Trains and tests every run that is not there yet, then writes results.json and prints the table."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from experiments.classification.plan import DATA_SETS, LOSSES, Job, jobs

HERE = Path(__file__).parent


def main() -> None:
    """Run what is missing and report."""
    parser = argparse.ArgumentParser(prog="python -m experiments.classification", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with sst2, banking77, ... and weights")
    parser.add_argument("--runs", type=Path, default=Path("runs/classification"), help="where runs are kept")
    asked = parser.parse_args()
    results = []
    for job in jobs(asked.runs, asked.data):
        folder = asked.runs / job.name
        if not (folder / "reports" / "test.json").is_file():
            for verb, options in (("fit", job.options), ("test", ["--wandb=disabled"])):
                if verb == "fit" and (folder / "student").is_dir():
                    continue
                command = [sys.executable, "-m", "slimlit", verb, "--run", job.name, "--runs", str(asked.runs)]
                if verb == "fit" and (folder / "checkpoints" / "last.ckpt").is_file():
                    command.append("--resume")
                if subprocess.run([*command, *options]).returncode:
                    sys.exit(f"{job.name} failed: {' '.join(command)}")
        results.append(result_of(job, folder))
        (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


def result_of(job: Job, folder: Path) -> dict[str, object]:
    """What the table needs of a run: its test scores and the size of its student."""
    scores = json.loads((folder / "reports" / "test.json").read_text())
    weights, words = count_weights(folder / "student")
    return {"data": job.data.title, "kind": job.kind, "weights": weights, "word table": words, **scores}


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


def table(results: list[dict[str, object]]) -> str:
    """The table as Markdown."""
    found = {(str(one["data"]), str(one["kind"])): one for one in results}
    lines = ["| data | teacher | " + " | ".join(LOSSES) + " | share kept | layers' weights | all weights |"]
    lines += ["|---" * 7 + "|"]
    for data in DATA_SETS:
        teacher, best = found.get((data.title, "teacher")), found.get((data.title, "distilled"))
        if teacher is None or best is None:
            continue
        right = {
            kind: float(str(found[data.title, kind]["test/accuracy"])) for kind in LOSSES if (data.title, kind) in found
        }
        top = float(str(teacher["test/accuracy"]))
        body = [int(str(one["weights"])) - int(str(one["word table"])) for one in (best, teacher)]
        whole = [int(str(one["weights"])) for one in (best, teacher)]
        cells = [f"{right[kind]:.4f}" if kind in right else "" for kind in LOSSES]
        lines.append(
            f"| {data.title} | {top:.4f} | {' | '.join(cells)} | {right['distilled'] / top:.3f} | "
            f"{body[0] / body[1]:.2f} | {whole[0] / whole[1]:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
