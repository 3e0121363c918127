"""``Measured``: what was measured of one contestant; and the table and report of all."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from slimlit.bench.contestants import Contestant

WORDS = ("causal_lm", "seq2seq_lm", "masked_lm")


@dataclass(frozen=True, order=True)
class Setting:
    """A batch to time: texts in it, tokens of each, threads."""

    batch: int
    length: int
    threads: int

    @property
    def name(self) -> str:
        """As it stands in reports."""
        return f"batch {self.batch}, {self.length} tokens, {self.threads} thread{'s' if self.threads > 1 else ''}"


@dataclass
class Measured:
    """One contestant, and what was measured of it.

    Args:
        contestant: it.
        right: labels it says rightly on the validation texts.
        count: labels asked.
        nats: what the true labels cost it, all together.
        peak: MiB of its process above those before it was loaded, at most; on one thread.
        writing: tokens a second of a generator.
    """

    contestant: Contestant
    right: int = 0
    count: int = 0
    nats: float = 0.0
    peak: float = 0.0
    writing: dict[str, float] = field(default_factory=dict)
    times: dict[Setting, list[tuple[float, float]]] = field(default_factory=dict)
    joules: dict[Setting, list[float]] = field(default_factory=dict)

    def add(self, setting: Setting, seconds: Sequence[float], cpu: Sequence[float], joules: float | None) -> None:
        """Count one turn."""
        self.times.setdefault(setting, []).extend(zip(seconds, cpu, strict=True))
        if joules is not None and joules >= 0:
            self.joules.setdefault(setting, []).append(joules)

    def seconds(self, setting: Setting) -> float:
        """The median by the clock of one batch."""
        return statistics.median(clock for clock, _ in self.times[setting])

    def cpu_seconds(self, setting: Setting) -> float:
        """The median of the processor of one batch."""
        return statistics.median(cpu for _, cpu in self.times[setting])

    @property
    def quality(self) -> tuple[str, float] | None:
        """Accuracy, or of a language model perplexity; None where no text was asked."""
        if not self.count:
            return None
        if self.contestant.kind in WORDS:
            return "perplexity", math.exp(min(700.0, self.nats / self.count))
        return "accuracy", self.right / self.count

    def energy(self, watts: float) -> dict[str, Any]:
        """Joules for a thousand texts, an estimate: by the processor's counter, or of the processor's time and a stated power."""
        batches = [setting for setting in self.times if setting.batch > 1] or list(self.times)
        setting = min(batches, key=lambda one: (one.threads, one.length))
        if setting in self.joules:
            spent, how = statistics.median(self.joules[setting]), "the processor's counter (RAPL), the whole machine's"
        else:
            spent, how = self.cpu_seconds(setting) * watts, f"processor time x {watts:g} W, a power assumed"
        return {"joules": round(spent * 1000 / setting.batch, 3), "is estimate": True, "how": how, "of": setting.name}

    def report(self, watts: float) -> dict[str, Any]:
        """As JSON has it."""
        quality = self.quality
        return {
            **{name: value for name, value in asdict(self.contestant).items() if name != "labels"},
            "peak MiB": round(self.peak, 1),
            **({} if quality is None else {quality[0]: round(quality[1], 4)}),
            "times": {
                setting.name: {
                    "ms": round(1000 * self.seconds(setting), 3),
                    "cpu ms": round(1000 * self.cpu_seconds(setting), 3),
                    "texts per second": round(setting.batch / self.seconds(setting), 2),
                    "runs": len(self.times[setting]),
                }
                for setting in self.times
            },
            "energy of 1000 texts": self.energy(watts),
            **({"tokens per second": {k: round(v, 1) for k, v in self.writing.items()}} if self.writing else {}),
        }


def table(all_of_them: Sequence[Measured], watts: float) -> str:
    """One line a contestant, for each number of threads; what is good is said in the head."""
    if not all_of_them:
        return ""
    settings = sorted(all_of_them[0].times)
    parts = []
    for threads in sorted({setting.threads for setting in settings}):
        here = [setting for setting in settings if setting.threads == threads]
        quality = next((one.quality[0] for one in all_of_them if one.quality), "quality")
        head = [f"{threads} thread{'s' if threads > 1 else ''}", "MB", "peak MiB", quality]
        head += [
            f"ms 1x{setting.length}" if setting.batch == 1 else f"texts/s {setting.batch}x{setting.length}"
            for setting in here
        ]
        head += ["J/1000 (estimate)"] if threads == 1 else []
        parts.append(_aligned([head, *(_cells(one, here, watts, threads == 1) for one in all_of_them)]))
    names = list(dict.fromkeys(name for one in all_of_them for name in one.writing))
    if names:
        rows = [
            [one.contestant.name, *(f"{one.writing[name]:.1f}" if name in one.writing else "" for name in names)]
            for one in all_of_them
            if one.writing
        ]
        parts.append(_aligned([["tokens/s, 1 thread", *names], *rows]))
    return "\n\n".join(parts)


def _cells(one: Measured, settings: Sequence[Setting], watts: float, with_energy: bool) -> list[str]:
    size = "" if one.contestant.num_bytes is None else f"{one.contestant.num_bytes / 1e6:.1f}"
    cells = [one.contestant.name, size, f"{one.peak:.0f}", "" if one.quality is None else f"{one.quality[1]:.4f}"]
    for setting in settings:
        seconds = one.seconds(setting)
        cells.append(f"{1000 * seconds:.2f}" if setting.batch == 1 else f"{setting.batch / seconds:.1f}")
    return [*cells, *([f"{one.energy(watts)['joules']:.1f}"] if with_energy else [])]


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for row in rows:
        first = f"{row[0]:{widths[0]}}"
        lines.append("  ".join([first, *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))]))
    return "\n".join(lines)
