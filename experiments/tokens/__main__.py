"""``python -m experiments.tokens``: megabytes a CPU second of the encoder, of the tokenizer itself and of tiktoken alone, in turn."""

import argparse
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from slimlit.text.clean import clean
from slimlit.text.tokens.encoder import Encoder, load_backend
from slimlit.text.tokens.shard_writing import write_shards
from slimlit.text.tokens.shards import Shards
from slimlit.text.tokens.tokenizer_training import train_tokenizer

BATCH = 1000


def main() -> int:
    """Parse, measure, print a table, write the results."""
    parser = argparse.ArgumentParser(prog="python -m experiments.tokens", description=__doc__)
    parser.add_argument("--english", type=Path, required=True, help="a text file, .gz or not: one document a line")
    parser.add_argument("--chinese", type=Path, required=True, help="the same in Chinese")
    parser.add_argument(
        "--tokenizer", nargs="*", default=[], metavar="NAME=FOLDER", help="tokenizers beside our own four"
    )
    parser.add_argument("--megabytes", type=float, default=12.0, help="of each text at most")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path(__file__).with_name("results.json"))
    arguments = parser.parse_args()
    texts = {name: read(getattr(arguments, name), arguments.megabytes) for name in ("english", "chinese")}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizers = {one.split("=")[0]: load_backend(one.split("=")[1]) for one in arguments.tokenizer}
        for kind in ("bpe", "wordpiece", "unigram", "characters"):
            train_tokenizer(texts["english"][:4000] + texts["chinese"][:4000], kind, 8_000, folder / kind)
            tokenizers[f"{kind}, trained here"] = load_backend(str(folder / kind))
        rows = [
            measure(title, tokenizer, language, texts[language], arguments.rounds)
            for title, tokenizer in tokenizers.items()
            for language in texts
        ]
        opened = opening(Encoder(folder / "bpe"), texts["english"], folder)
    found = {
        "command": " ".join(["python -m experiments.tokens", *sys.argv[1:]]),
        "date": date.today().isoformat(),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip(),
        "python": platform.python_version(),
        "load": os.getloadavg()[1],
        "versions": {name: version(name) for name in ("tokenizers", "tiktoken", "numpy")},
        "rows": rows,
        "opening": opened,
    }
    arguments.results.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(rows))
    print(opened)
    return 0


def read(path: Path, megabytes: float) -> list[str]:
    """The lines of a file, cleaned as slimlit cleans texts, without empty ones."""
    found, size = [], 0.0
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        for line in file:
            if text := clean(line):
                found.append(text)
                size += len(text.encode()) / 1e6
                if size > megabytes:
                    break
    return found


def measure(title: str, tokenizer: Tokenizer, language: str, texts: list[str], rounds: int) -> dict[str, Any]:
    """Everybody in turn, ``rounds`` times; the medians, and whether all ids are the same."""
    size = sum(len(text.encode()) for text in texts) / 1e6
    batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    seconds: dict[str, list[float]] = {"encoder": [], "tokenizers": [], "tiktoken alone": []}
    Encoder(tokenizer).encode([texts[0] + "é"])  # tables that are made once a process
    whole: dict[str, Any] = {}
    for _ in range(rounds):
        for name, way in ways(tokenizer).items():
            start = time.process_time()
            found = [way(batch) for batch in batches]
            seconds[name].append(time.process_time() - start)
            whole[name] = found
    encoder = Encoder(tokenizer)
    ours = np.concatenate([encoder.encode(batch).ids for batch in batches])
    theirs = np.concatenate([np.asarray(ids, np.uint32) for batch in whole["tokenizers"] for ids in batch])
    speeds = {name: round(size / statistics.median(one), 2) for name, one in seconds.items() if one}
    return {
        "tokenizer": title, "text": language, "megabytes": round(size, 2), "documents": len(texts), "speeds": speeds,
        "times as fast": round(speeds["encoder"] / speeds["tokenizers"], 2), "way": encoder.way,
        "same ids": bool(np.array_equal(ours, theirs)), "tokens": len(ours), "report": encoder.report(),
    }  # fmt: skip


def ways(tokenizer: Tokenizer) -> dict[str, Callable[[list[str]], Any]]:
    """Each contestant as new: the encoder with its comparisons, the library's ``encode_batch``, tiktoken by itself."""
    ours = Encoder(tokenizer)
    plain = Encoder(tokenizer, fast=False).tokenizer
    found: dict[str, Callable[[list[str]], Any]] = {
        "encoder": ours.encode,
        "tokenizers": lambda batch: [one.ids for one in plain.encode_batch(batch, add_special_tokens=False)],
    }
    if ours.way == "tiktoken":
        alone = ours._ways[0]._runs  # type: ignore[union-attr]
        found["tiktoken alone"] = lambda batch: [alone(text) for text in batch]
    return found


def opening(encoder: Encoder, texts: list[str], folder: Path) -> dict[str, Any]:
    """Milliseconds, in a process that has numpy, from a path to the first and to a random row of 1,024 tokens."""
    shards = write_shards(folder / "shards", texts, encoder, end=0, shard_tokens=500_000)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        Shards(shards.folder).tokens(shards.num_tokens // 2, shards.num_tokens // 2 + 1024).sum()
        times.append(1000 * (time.perf_counter() - start))
    start = time.process_time()
    shards.verify()
    return {
        "shards": len(shards.manifest["shards"]), "tokens": shards.num_tokens, "documents": len(shards),
        "milliseconds to open and read a row, median of 20": round(statistics.median(times), 2),
        "CPU milliseconds to hash all": round(1000 * (time.process_time() - start), 1),
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    """As Markdown."""
    lines = ["| tokenizer | text | way | encoder | tokenizers | times | tiktoken alone | same ids |", "|---" * 8 + "|"]
    for row in rows:
        speeds = row["speeds"]
        shown = [
            row["tokenizer"],
            row["text"],
            row["way"],
            speeds["encoder"],
            speeds["tokenizers"],
            row["times as fast"],
        ]
        shown += [speeds.get("tiktoken alone", "–"), "yes" if row["same ids"] else "NO"]
        lines.append("| " + " | ".join(map(str, shown)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
