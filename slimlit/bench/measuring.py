"""``measure``: contestants in turn, again and again, so that a busy machine is busy for all; medians of what each took."""

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm  # type: ignore[import-untyped]

from slimlit.bench.contestants import Contestant
from slimlit.bench.process import Process
from slimlit.bench.result import Measured, Setting

GENERATORS = ("causal_lm", "seq2seq_lm")


@dataclass(frozen=True)
class Plan:
    """What is measured, and how long.

    Args:
        settings: batches to time.
        rounds: turns of each contestant in each setting.
        seconds: of a turn.
        num_new: words that a generator writes.
        watts: of one busy core, for the estimate of energy.
    """

    settings: Sequence[Setting]
    rounds: int
    seconds: float
    num_new: int
    watts: float


def plan(quick: bool, longest: int, watts: float) -> Plan:
    """The plan of a whole or a quick measurement, of texts of at most so many tokens."""
    lengths = [length for length in ((32,) if quick else (32, 128)) if length <= longest] or [longest]
    threads = (1,) if quick else (1, 2)
    settings = [Setting(batch, length, number) for number in threads for length in lengths for batch in (1, 32)]
    return Plan(settings, 3 if quick else 7, 0.05 if quick else 0.25, 8 if quick else 32, watts)


def measure(contestants: Sequence[Contestant], texts: Path | None, todo: Plan) -> tuple[list[Measured], list[str]]:
    """What was measured of each contestant, and a line for each that failed.

    Guarantees:
        - each is in a process of its own, and they are measured one at a time;
        - in each setting they take turns, and another begins each round.

    Args:
        contestants: to measure.
        texts: the file of texts to be right on; None where there is none.
        todo: what and how long.
    """
    found: list[Measured] = []
    told: list[str] = []
    with ExitStack() as stack:
        ready: list[tuple[Process, Measured]] = []
        processes = [stack.enter_context(Process(contestant)) for contestant in contestants]
        for process in tqdm(processes, desc="loading", leave=False):
            try:
                process.reply()
                measured = _scored(process, texts)
            except ValueError as problem:
                told.append(f"{process.contestant.name}: {problem}")
                continue
            ready.append((process, measured))
        turns = [(setting, number) for setting in todo.settings for number in range(todo.rounds)]
        one_thread = sum(setting.threads == 1 for setting, _ in turns)
        for at, (setting, number) in enumerate(tqdm(turns, desc="measuring", leave=False)):
            if at == one_thread:
                _note_memory(ready)
            start = number % max(1, len(ready))
            for process, measured in ready[start:] + ready[:start]:
                asked = {"batch": setting.batch, "length": setting.length, "threads": setting.threads}
                try:
                    said = process.ask(do="time", **asked, seconds=todo.seconds)
                except ValueError as problem:
                    told.append(f"{process.contestant.name}: stopped at {setting.batch} x {setting.length}: {problem}")
                    ready.remove((process, measured))
                    continue
                measured.add(setting, said["seconds"], said["cpu seconds"], said["joules"])
        if len(turns) == one_thread:
            _note_memory(ready)
        for process, measured in ready:
            if measured.contestant.kind in GENERATORS:
                try:
                    measured.writing = _written(process, todo, told)
                except ValueError as problem:
                    told.append(f"{process.contestant.name}: stopped while it wrote: {problem}")
        found = [measured for _, measured in ready]
    return found, told


def _note_memory(ready: Sequence[tuple[Process, Measured]]) -> None:
    """The peak on one thread: another number opens an export anew."""
    for process, measured in ready:
        measured.peak = float(process.ask(do="peak")["peak MiB"])


def _scored(process: Process, texts: Path | None) -> Measured:
    if texts is None:
        return Measured(process.contestant)
    said = process.ask(do="score", texts=str(texts))
    return Measured(process.contestant, int(said["right"]), int(said["count"]), float(said["nats"]))


def _written(process: Process, todo: Plan, told: list[str]) -> dict[str, float]:
    """Tokens a second of one thread, of the shortest and the longest prompt: read before the first word, written after it.

    None of an export that does not write: a GGUF file here, a folder for the hub. A line is told of a prompt after which too little was written.
    """
    rates: dict[str, float] = {}
    for length in sorted({setting.length for setting in todo.settings}):
        said = [
            process.ask(do="write", batch=1, length=length, num_new=todo.num_new, threads=1)
            for _ in range(max(1, todo.rounds // 2))
        ]
        if not all(said):
            return {}
        if any("decode seconds" not in one for one in said):
            fewest = min(one["words"] for one in said)
            asked = f"{fewest} of {todo.num_new + 1} words after a prompt of {length} tokens"
            told.append(f"{process.contestant.name}: wrote {asked}; how fast is not told")
            continue
        rates[f"prefill of {length}"] = length / statistics.median(one["prefill seconds"] for one in said)
        rates[f"decode after {length}"] = 1 / statistics.median(one["decode seconds"] for one in said)
    return rates
