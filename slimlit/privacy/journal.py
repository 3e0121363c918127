"""The journal of a private run: every noisy step is written down before it is used; and the secret that keys noise and sampling."""

import hashlib
import json
import os
import secrets
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from slimlit.privacy.accounting import NoisySteps

_SECRET, _JOURNAL = "secret", "journal.jsonl"
_CUT_STEP, _CUT_MECHANISM = '{"step"', '{"mechanism"'  # how a line begins that a crash cut off


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
    tag at the same step is another release of the same sample, and counts; another secret draws another sample too.

    Raises:
        ValueError: whenever a journal is read that nobody can make sense of: then nothing may be claimed.
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

    def begin(self, mechanism: Mechanism, secret: bytes, private: bool = True) -> None:
        """Write down what the steps that follow do; only where it is not what the last ones did."""
        entry = {"mechanism": asdict(mechanism), "secret": name_of(secret)}
        entry |= {} if private else {"not private": "the noise was seeded"}
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
        """All entries; a step that was cut off is a release of its own, and a mechanism that was is ``{}``."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        return [self._entry(number, line) for number, line in enumerate(lines, start=1)]

    def _entry(self, number: int, line: str) -> dict[str, Any]:
        try:
            entry = json.loads(line)
            if "mechanism" in entry:
                Mechanism(**entry["mechanism"])
                NoisySteps(entry["mechanism"]["noise_multiplier"], entry["mechanism"]["sample_rate"], 1)
                is_known = isinstance(entry["secret"], str)
            else:
                is_known = isinstance(entry["step"], int) and isinstance(entry["tag"], str)
            if not is_known:
                raise ValueError("not what a journal holds")
            return dict(entry)
        except (ValueError, KeyError, TypeError) as problem:
            if line.startswith(_CUT_STEP) or _CUT_STEP.startswith(line):
                return {"step": f"cut off in line {number}", "tag": ""}
            if line.startswith(_CUT_MECHANISM) and not line.endswith("}"):
                return {}
            raise ValueError(
                f"{self.path} is damaged in line {number}: {line[:40]!r}\nwithout it nothing can be said of the privacy of this run"
            ) from problem

    def identity(self) -> str:
        """What tells this training from every other, whatever its folder is called; empty before it has begun."""
        begun = [str(line["secret"]) for line in self.lines() if "mechanism" in line]
        return begun[0] if begun else ""

    def is_private(self) -> bool:
        """Whether no part of the run drew seeded noise."""
        return not any("not private" in line for line in self.lines())

    def mechanism(self) -> Mechanism | None:
        """What the last steps did."""
        begun = [line for line in self.lines() if "mechanism" in line]
        return Mechanism(**begun[-1]["mechanism"]) if begun else None

    def num_steps(self) -> int:
        """How many different steps are written down."""
        return len({line["step"] for line in self.lines() if "step" in line})

    def stages(self, more: int = 0) -> list[NoisySteps]:
        """All releases so far, and ``more`` like the last, as the accountant counts them.

        Different releases of one step's sample, with noise ``s_1, s_2, ...``, tell as much as one with noise
        ``(sum s_i^-2)^(-1/2)``.
        """
        releases: dict[tuple[str, Any], dict[str, tuple[float, float]]] = {}
        now: dict[str, Any] = {}
        for line in self.lines():
            if "step" not in line:
                now = line
                continue
            if not now:
                raise ValueError(
                    f"{self.path} is damaged: step {line['step']} stands before what it does\n"
                    "without it nothing can be said of the privacy of this run"
                )
            done = (now["mechanism"]["noise_multiplier"], now["mechanism"]["sample_rate"])
            releases.setdefault((now["secret"], line["step"]), {})[f"{line['tag']} {done}"] = done
        counted: Counter[tuple[float, float]] = Counter()
        for made in releases.values():
            noise = (
                sum(noise**-2 for noise, _ in made.values()) ** -0.5 if len(made) > 1 else next(iter(made.values()))[0]
            )
            counted[(noise, max(rate for _, rate in made.values()))] += 1
        if more and now:
            counted[(now["mechanism"]["noise_multiplier"], now["mechanism"]["sample_rate"])] += more
        return [NoisySteps(noise, rate, number) for (noise, rate), number in counted.items()]


def name_of(secret: bytes) -> str:
    """A name for a secret that tells nothing of it."""
    return hashlib.sha256(b"name of " + secret).hexdigest()[:16]
