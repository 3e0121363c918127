"""``audit``: all attacks on one run, what they found as a report, and as a table."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from slimlit.privacy.attacks import (
    LEVELS,
    Attack,
    Texts,
    by_likelihood_ratio,
    by_loss,
    by_words,
    over_labels,
    rate_interval,
)
from slimlit.privacy.ledger import shown
from slimlit.privacy.lower_bound import LowerBound, epsilon_lower_bound

_FEWEST = 30  # texts outside training that an attack is fitted and tried on


@dataclass
class Claim:
    """What the ledger says of the run's own training: epsilon, infinite without noise, at delta."""

    epsilon: float
    delta: float


@dataclass
class Audit:
    """What was found.

    Args:
        run: its name.
        claim: what was to be refuted.
        attacks: on real texts, the blind one among them.
        canaries: the attack on canaries, where there are any.
        bound: on epsilon, from the canaries.
        notes: what could not be done, and what to mind.
    """

    run: str
    claim: Claim
    attacks: list[Attack] = field(default_factory=list)
    canaries: Attack | None = None
    bound: LowerBound | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def is_refuted(self) -> bool:
        """Whether the canaries show that training was less private than claimed."""
        return self.bound is not None and self.bound.epsilon > self.claim.epsilon

    @property
    def all_attacks(self) -> list[Attack]:
        """On real texts and on canaries."""
        return [*self.attacks, *([] if self.canaries is None else [self.canaries])]

    def report(self) -> dict[str, Any]:
        """All numbers, fit for JSON: no text is in it, no label and no coin."""
        return {
            "run": self.run,
            "claimed epsilon": None if math.isinf(self.claim.epsilon) else self.claim.epsilon,
            "delta": self.claim.delta,
            "attacks": {attack.name: _measured(attack) for attack in self.all_attacks},
            "epsilon is at least": None if self.bound is None else asdict(self.bound),
            "the claim is refuted": self.is_refuted,
            "notes": self.notes,
        }

    def table(self) -> str:
        """The same in a few lines."""
        levels = [level for level in LEVELS if any(one.rate_at(level) is not None for one in self.all_attacks)]
        head = ["attack", "AUC", "95 % interval", "advantage", *(f"TPR at {100 * level:g} % FPR" for level in levels)]
        rows = [head]
        for attack in self.all_attacks:
            low, high = attack.interval()
            rates = [attack.rate_at(level) for level in levels]
            said = ["-" if rate is None else f"{100 * rate:.1f} %" for rate in rates]
            rows.append(
                [attack.name, f"{attack.auc:.3f}", f"{low:.3f} - {high:.3f}", f"{attack.advantage():+.3f}", *said]
            )
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, "", *self.notes, self.verdict()])

    def verdict(self) -> str:
        """What the canaries say of epsilon."""
        claim = f"{shown(self.claim.epsilon)} is claimed" if math.isfinite(self.claim.epsilon) else "none is claimed"
        if self.bound is None:
            return f"no bound on epsilon without canaries ({claim})"
        found = f"epsilon is at least {self.bound.epsilon:.2f} at delta {self.bound.delta:.3g}, with {100 * self.bound.confidence:g} % confidence; {claim}"
        found += f"\n({self.bound.num_right} of {self.bound.num_guesses} guesses right, about {self.bound.num_canaries} canaries)"
        if self.is_refuted:
            found += "\nTHE CLAIM IS REFUTED: training told more of its texts than the ledger says"
        return found


def attack_real(audit: Audit, members: Texts, others: Texts, num_words: int, most: int, seed: int) -> None:
    """Membership inference on texts of the run; a third of the others trains the reference and is never attacked.

    Args:
        audit: takes what is found.
        members: trained on.
        others: not.
        num_words: size of the vocabulary.
        most: texts attacked on each side at most.
        seed: of what is drawn.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(others))
    reference, attacked = others.take(order[: len(others) // 3]), others.take(order[len(others) // 3 :][:most])
    num = min(len(attacked), len(members))
    if num < _FEWEST:
        audit.notes.append(f"membership: too few texts to attack, {len(members)} members and {len(others)} others")
        return
    chosen, rest = members.take(random.permutation(len(members))[:num]), attacked.take(np.arange(num))
    blind = by_words(chosen, rest, num_words, seed)
    audit.attacks += [
        by_loss(chosen, rest),
        by_likelihood_ratio(chosen, rest, reference, num_words, seed),
        blind,
    ]
    low, high = blind.interval()
    if not low <= 0.5 <= high:
        audit.notes.append(
            "mind: the words alone tell members from others: the splits differ, and what the other attacks find may be that"
        )


def attack_canaries(audit: Audit, texts: Texts, planted: npt.NDArray[np.bool_]) -> None:
    """Guess the coins of the canaries, and bound epsilon by how often that is right."""
    scores = over_labels(texts.logits, texts.labels)
    if 1 < planted.sum() < len(planted) - 1:
        audit.canaries = Attack("canaries", scores[planted], scores[~planted])
    audit.bound = epsilon_lower_bound(scores, planted, audit.claim.delta)


def _measured(attack: Attack) -> dict[str, Any]:
    found: dict[str, Any] = {
        "members": len(attack.members),
        "others": len(attack.others),
        "auc": attack.auc,
        "auc interval": list(attack.interval()),
        "advantage": attack.advantage(),
    }
    for level in LEVELS:
        rate = attack.rate_at(level)
        if rate is not None:
            found[f"true-positive rate at {100 * level:g} % false positives"] = rate
            found[f"its interval at {100 * level:g} %"] = list(rate_interval(rate, len(attack.members)))
    return found
