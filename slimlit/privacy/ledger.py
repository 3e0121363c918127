"""The ledger of a model: what touched which data on the way to it, and what that costs, per data set, over the whole lineage."""

import hashlib
import json
import math
import os
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from slimlit.privacy.accounting import NoisySteps, epsilon_of

NAME = "privacy.json"
STATEMENT = "PRIVACY.md"
MAKERS = "runs its texts are of"  # in the mechanism of a vocabulary
ACCOUNTANT = "privacy loss distributions, composed jointly (slimlit.privacy.accounting)"


@dataclass(frozen=True)
class Stage:
    """One thing that was done with one data set.

    Args:
        run: the run that did it, by name.
        kind: ``training``, ``selection``, ``vocabulary`` (of a tokenizer) or ``pruning`` (what stays of a model).
        source: the file or name the data came from.
        split: which part of it.
        data: a fingerprint of its texts.
        num_units: units of privacy in it.
        unit: ``example``, or the column that tells groups.
        steps: the noisy steps, or None where it was done without noise.
        why: in words, what was done.
        mechanism: clipping norm, rule and the rest, for the statement.
        identity: what tells this training from another of the same name and settings; met twice it is one stage.
        place: a keyed hash of the source's real path (:func:`place_of`), which other names of it have too.
    """

    run: str
    kind: str
    source: str
    split: str
    data: str
    num_units: int
    unit: str = "example"
    steps: list[NoisySteps] | None = None
    why: str = ""
    mechanism: dict[str, Any] = field(default_factory=dict)
    identity: str = ""
    place: str = ""


@dataclass(frozen=True)
class DataCost:
    """What all stages together tell of one unit of a data set; ``epsilon`` is infinite where a stage had no noise."""

    source: str
    split: str
    data: str
    num_units: int
    unit: str
    epsilon: float
    delta: float
    stages: list[Stage]


class Ledger:
    """The stages of a model's lineage."""

    def __init__(self, stages: Iterable[Stage] = (), notes: Iterable[str] = ()) -> None:
        self.stages: list[Stage] = []
        self.notes: list[str] = list(dict.fromkeys(notes))
        for stage in stages:
            if stage not in self.stages:
                self.stages.append(stage)

    @classmethod
    def read(cls, path: Path) -> "Ledger":
        """The ledger in a file.

        Raises:
            ValueError: it is damaged: then nothing is known, and nothing may be claimed.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            stages = [
                Stage(
                    **{**one, "steps": None if one["steps"] is None else [NoisySteps(**step) for step in one["steps"]]}
                )
                for one in content["stages"]
            ]
            return cls(stages, content["notes"])
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise ValueError(
                f"{path} is damaged: {problem}\nwithout it nothing can be said of the privacy of what is made of this model"
            ) from problem

    def __add__(self, other: "Ledger") -> "Ledger":
        return Ledger([*self.stages, *other.stages], [*self.notes, *other.notes])

    def costs(self, delta: float | None = None) -> list[DataCost]:
        """What it cost each data set; ``delta`` is a tenth of one over its units where none is given.

        Stages on the same texts, or on the same part of the same file, are on the same data set, whatever name the file was
        given; so are those on a part of a folder and on a file in it, and those whose texts cannot be compared, since their
        fingerprints were taken on different machines.
        """
        groups: list[list[Stage]] = []
        for stage in self.stages:
            near = [group for group in groups if any(_same(stage, other) for other in group)]
            groups = [group for group in groups if group not in near]
            groups.append([*(one for group in near for one in group), stage])
        found = []
        for group in groups:
            most = max(stage.num_units for stage in group)
            given = [stage.mechanism["delta"] for stage in group if "delta" in stage.mechanism]
            at = delta if delta is not None else min(given, default=0.1 / max(1, most))
            units = sorted({stage.unit for stage in group})
            found.append(
                DataCost(
                    " and ".join(dict.fromkeys(stage.source for stage in group)),
                    group[0].split,
                    group[0].data,
                    most,
                    " and ".join(units),
                    total(group, at),
                    at,
                    group,
                )
            )
        return found

    def text(self) -> str:
        """The ledger as JSON."""
        content = {
            "data": [
                {
                    **asdict(cost),
                    "epsilon": _number(cost.epsilon),
                    "stages": [f"{s.kind} of {s.run}" for s in cost.stages],
                }
                for cost in self.costs()
            ],
            "stages": [asdict(stage) for stage in self.stages],
            "notes": self.notes,
            "accountant": ACCOUNTANT,
        }
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def statement(self) -> str:
        """The privacy statement that goes with the model, as Markdown."""
        lines = ["# Privacy", ""]
        for cost in self.costs():
            lines += [f"## {cost.split} texts of {cost.source} ({cost.num_units:,} of unit: {cost.unit})", ""]
            if math.isinf(cost.epsilon):
                plain = [f"{stage.kind} of {stage.run} ({stage.why})" for stage in cost.stages if stage.steps is None]
                lines += [f"No guarantee (epsilon is infinite): {'; '.join(plain)}.", ""]
            else:
                lines += [
                    f"**epsilon {shown(cost.epsilon)} at delta {cost.delta:.3g}**: with or without any one {cost.unit}, no set of models",
                    "is more than exp(epsilon) times as likely to come out, but for a probability of delta.",
                    "",
                ]
            for stage in cost.stages:
                lines += [f"- {stage.kind} of {stage.run}: {_described(stage)}"]
            lines += [""]
        lines += [
            "## What this rests on",
            "",
            "- Neighbours: one unit added or removed. The number of units, the classes and the settings count as public.",
            "- Every step takes each unit by an independent coin, clips it alone, and adds Gaussian noise to the sum; empty steps too.",
            f"- Accountant: {ACCOUNTANT}.",
            "- Noise comes from a secret of the operating system through HMAC-SHA256 and AES-256, sampling through HMAC-SHA256 and",
            "  Philox; both in floating point, which the accounting takes for ideal: low bits are not defended (Mironov 2012).",
            "",
            "## What is not covered",
            "",
            "- What the pretrained weights saw before the first stage named here.",
            "- The same person in several examples, in several data sets, or in others' texts, unless the unit is a group that holds them.",
            "- Choices made by people who looked at the data: settings tried elsewhere and not recorded here.",
        ]
        lines += [f"- {note}" for note in self.notes]
        return "\n".join(lines) + "\n"


class Fingerprint:
    """A fingerprint of texts that come one by one, whatever tokenizer or label they have; their order does not count.

    Whoever has it but not the key cannot ask it whether a text is in the data.
    """

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._whole = 0

    def add(self, *columns: str) -> None:
        """One text, or the columns of one example."""
        encoded = "\x00".join(columns).encode("utf-8", "surrogatepass")
        one = hashlib.blake2b(encoded, digest_size=16, key=self.key).digest()
        self._whole = (self._whole + int.from_bytes(one, "big")) % 2**128

    def __str__(self) -> str:
        return f"{hashlib.sha256(b'name of ' + self.key).hexdigest()[:8]}:{self._whole:032x}"


def fingerprint(texts: Sequence[str], pairs: Sequence[str] | None, key: bytes) -> str:
    """The :class:`Fingerprint` of a data set's texts."""
    found = Fingerprint(key)
    for row in zip(texts, *([pairs] if pairs is not None else []), strict=True):
        found.add(*row)
    return str(found)


def place_of(source: str, key: bytes) -> str:
    """Where a source is, as a keyed hash of its real path: the same for all names of it, and no path is told."""
    return hashlib.blake2b(str(_real(source)).encode("utf-8", "surrogateescape"), digest_size=16, key=key).hexdigest()


def is_same_source(one: Stage, other: Stage) -> bool:
    """Whether two stages read the same file, or one a file in the other's folder, as far as can be seen here."""
    if one.source == other.source or (one.place and one.place == other.place):
        return True
    here, there = _real(one.source), _real(other.source)
    is_nested = here.is_relative_to(there) or there.is_relative_to(here)
    return is_nested and here.exists() and there.exists()


def machine_key(folder: Path) -> bytes:
    """The key of this machine's fingerprints, made when first asked for, readable by its owner only."""
    file = folder / "fingerprints.key"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with (
            suppress(FileExistsError),
            os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new,
        ):
            new.write(secrets.token_bytes(32))
    key = file.read_bytes()
    if len(key) != 32:
        raise ValueError(f"{file} has {len(key)} bytes; expected the 32 slimlit made\nremove it: another is made")
    return key


def total(stages: Sequence[Stage], delta: float) -> float:
    """Epsilon of several stages on one data set, composed jointly; infinite where one had no noise."""
    if any(stage.steps is None for stage in stages):
        return math.inf
    steps = [step for stage in stages for step in stage.steps or []]
    return epsilon_of(steps, delta) if steps else 0.0


def shown(value: float) -> str:
    """Four significant digits, rounded up: neither noise nor epsilon is ever said smaller than it is."""
    if not 0 < value < math.inf:
        return "infinite" if value > 0 else f"{value:g}"
    unit = 10.0 ** (math.floor(math.log10(value)) - 3)
    return f"{math.ceil(value / unit - 1e-9) * unit:.4g}"


def _same(one: Stage, other: Stage) -> bool:
    is_comparable = one.data.partition(":")[0] == other.data.partition(":")[0]
    return not is_comparable or one.data == other.data or (one.split == other.split and is_same_source(one, other))


def _real(source: str) -> Path:
    return Path(os.path.realpath(os.path.expanduser(source)))


def _number(value: float) -> float | None:
    return None if math.isinf(value) else value


def _described(stage: Stage) -> str:
    if stage.steps is None:
        return stage.why
    parts = [
        f"{step.num_steps:,} steps, noise multiplier {step.noise_multiplier:.4g}, sample rate {step.sample_rate:.4g}"
        for step in stage.steps
    ]
    rule = {name: stage.mechanism[name] for name in ("clipping", "max_grad_norm") if name in stage.mechanism}
    said = f", {stage.why}" if stage.why else ""
    return f"{'; '.join(parts) or 'no step'}" + "".join(f", {name} {value}" for name, value in rule.items()) + said
