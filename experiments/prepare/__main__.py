"""``python -m experiments.prepare``: slimlit and its peers remove planted near-duplicates, each in a process of its own."""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from experiments.prepare.corpus import write_corpus
from experiments.prepare.truth import score, similar_pairs

HERE = Path(__file__).parent
PEERS = ("rensa_minhash", "datasketch_lsh", "datatrove_minhash")


def main() -> int:
    """Make the corpus, find the truth, run everybody in turn, print a table, write the results."""
    parser = argparse.ArgumentParser(prog="python -m experiments.prepare", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of real texts, see corpus.py")
    parser.add_argument("--peers", type=Path, default=Path("/tmp/peers"), help="virtual environment of the peers")
    parser.add_argument("--only", nargs="+", choices=("slimlit", *PEERS), default=("slimlit", *PEERS))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=HERE / "results.json")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slimlit-prepare-") as scratch:
        corpus = Path(scratch) / "corpus.jsonl"
        counts = write_corpus(asked.data, corpus, asked.seed)
        pairs = similar_pairs(corpus, 0.8)
        counts["pairs of Jaccard 0.8 or more"] = len(pairs)
        print(json.dumps(counts), flush=True)
        found: dict[str, Any] = {}
        for turn in range(asked.rounds):
            for name in asked.only:
                output = Path(scratch) / f"{name}-{turn}"
                seconds = run(command(name, corpus, output, asked.peers))
                kept = kept_by(output)
                speed = counts["bytes"] / 1e6 / seconds
                one = found.setdefault(name, {"CPU seconds": [], **score(kept, pairs, counts["documents"])})
                one["CPU seconds"].append(round(seconds, 2))
                print(f"{name:20} {seconds:7.2f} s {speed:7.2f} MB per CPU second", flush=True)
    for one in found.values():
        one["MB per CPU second"] = round(counts["bytes"] / 1e6 / min(one["CPU seconds"]), 2)
    circumstances = {
        "command": " ".join(["python -m experiments.prepare", *sys.argv[1:]]),
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "processor": processor(),
    }
    asked.results.write_text(json.dumps({**circumstances, "corpus": counts, "contestants": found}, indent=2) + "\n")
    print(table(found))
    return 0


def command(name: str, corpus: Path, output: Path, peers: Path) -> list[str]:
    """What to type for a contestant."""
    if name == "slimlit":
        words = [sys.executable, "-m", "slimlit", "prepare", "--config", "configs/prepare/slimpajama.yaml"]
        return [*words, "--sources", str(corpus), "--output", str(output), "--split", "{}"]
    return [str(peers / "bin" / "python"), str(HERE / "contestants" / f"{name}.py"), str(corpus), str(output)]


def run(words: list[str]) -> float:
    """CPU seconds of a command and all its processes, start to end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    subprocess.run(words, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def kept_by(output: Path) -> set[int]:
    """The numbers of the documents that a contestant kept."""
    files = [*output.glob("kept/*.jsonl"), *output.glob("t*/part-*.jsonl"), *output.glob("validation/part-*.jsonl")]
    return {int(json.loads(line)["id"]) for file in files for line in file.open(encoding="utf-8")}


def table(found: dict[str, Any]) -> str:
    """The results as Markdown."""
    rows = [
        "| contestant | MB per CPU second | dropped | recall | precision | pair recall |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        scores = " | ".join(f"{one[key]:.4f}" for key in ("recall", "precision", "pair recall"))
        rows.append(f"| {name} | {one['MB per CPU second']:.2f} | {one['dropped']:,} | {scores} |")
    return "\n".join(rows)


def processor() -> str:
    """The processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
