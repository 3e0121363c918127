"""The journal of a private run: every noisy step is written down before it is used; and the secret that keys noise and sampling."""

import json
import math
import os
import secrets
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from slimlit.privacy.accounting import NoisySteps

_SECRET, _JOURNAL = "secret", "journal.jsonl"


@dataclass(frozen=True)
class Mechanism:
    """What is done in each step, and to whom.

    Args:
        noise_multiplier: standard deviation of the noise over ``max_grad_norm``.
        max_grad_norm: what one unit adds to the sum of gradients at most.
        clipping: the rule that keeps it so.
        sample_rate: probability of each unit in each step.
        expected_batch_size: what the noisy sum is divided by.
        unit: what is protected: ``example``, or the column that tells groups.
        num_units: how many units the data has.
        delta: the delta epsilon is asked for.
    """

    noise_multiplier: float
    max_grad_norm: float
    clipping: str
    sample_rate: float
    expected_batch_size: float
    unit: str
    num_units: int
    delta: float


class Journal:
    """``private/`` in a run's directory: ``secret``, readable by its owner only, and ``journal.jsonl``, only ever appended to.

    A step that is repeated with the same sums draws the same noise and carries the same tag: that is one release. Another
    tag at the same step is another release of the same sample, and counts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / _JOURNAL

    def secret(self) -> bytes:
        """The run's secret; made anew where there is none."""
        file = self.folder / _SECRET
        try:
            found = file.read_bytes()
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True)
            found = secrets.token_bytes(32)
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(found)
        if len(found) != 32:
            raise ValueError(
                f"{file} has {len(found)} bytes; expected the 32 this run made\nstart another run: --run NAME"
            )
        return found

    def forget_secret(self) -> None:
        """Destroy the secret: nobody can tell noise from sums after that."""
        file = self.folder / _SECRET
        if file.exists():
            file.write_bytes(bytes(32))
            file.unlink()

    def begin(self, mechanism: Mechanism, private: bool = True) -> None:
        """Write down what the steps that follow do; only where it is not what the last ones did."""
        entry = {"mechanism": asdict(mechanism), **({} if private else {"not private": "the noise was seeded"})}
        begun = [line for line in self.lines() if "mechanism" in line]
        if not begun or begun[-1] != entry:
            self._append(entry)

    def step(self, number: int, tag: str) -> None:
        """Write down one release, before anything is done with it."""
        self._append({"step": number, "tag": tag})

    def _append(self, entry: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as stream:
            stream.seek(0, os.SEEK_END)
            if stream.tell():
                stream.seek(-1, os.SEEK_END)
                if stream.read(1) != b"\n":  # a line that was cut off counts as a release of its own
                    stream.write(b"\n")
            stream.write((json.dumps(entry) + "\n").encode())
            stream.flush()
            os.fsync(stream.fileno())

    def lines(self) -> list[dict[str, Any]]:
        """All entries; one that cannot be read is an entry that says so."""
        if not self.path.exists():
            return []
        found = []
        for number, line in enumerate(self.path.read_text(encoding="utf-8", errors="replace").splitlines()):
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"step": f"unreadable {number}", "tag": "unreadable"}
            found.append(entry if isinstance(entry, dict) else {"step": f"unreadable {number}", "tag": "unreadable"})
        return found

    def is_private(self) -> bool:
        """Whether no part of the run drew seeded noise."""
        return not any("not private" in line for line in self.lines())

    def mechanism(self) -> Mechanism | None:
        """What the last steps did."""
        begun = [line for line in self.lines() if "mechanism" in line]
        return Mechanism(**begun[-1]["mechanism"]) if begun else None

    def num_steps(self) -> int:
        """How many different steps are written down."""
        return len({str(line["step"]) for line in self.lines() if "step" in line})

    def stages(self, more: int = 0) -> list[NoisySteps]:
        """All releases so far, and ``more`` like the last, as the accountant counts them.

        ``m`` different releases of one step's sample tell as much as one with noise smaller by the root of ``m``.
        """
        counted: Counter[tuple[float, float]] = Counter()
        releases: dict[tuple[float, float], dict[Any, set[str]]] = {}
        now: tuple[float, float] | None = None
        for line in self.lines():
            if "mechanism" in line:
                now = (line["mechanism"]["noise_multiplier"], line["mechanism"]["sample_rate"])
            elif now is not None:
                releases.setdefault(now, {}).setdefault(line.get("step"), set()).add(str(line.get("tag")))
        for (noise, rate), steps in releases.items():
            for tags in steps.values():
                counted[(noise / math.sqrt(len(tags)), rate)] += 1
        if more and now is not None:
            counted[now] += more
        return [NoisySteps(noise, rate, number) for (noise, rate), number in counted.items()]
