"""``Comparison``: an exported network beside the one it was made of, text by text: how far apart, and what it costs."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from slimlit.export.sample import Array, Inputs
from slimlit.models.network import Kind

WORDS = ("causal_lm", "masked_lm", "seq2seq_lm")
BLOCK = 256  # numbers of a cosine, at least: a text of two classes has two, and no angle to speak of near the boundary


@dataclass
class Comparison:
    """What is counted over a sample.

    Guarantees:
        - padding is never compared;
        - two equal networks have difference 0, cosine 1 and no flips;
        - a number that is not finite makes the cosine 0, and a pooling weight that is not finite the difference infinite.

    A cosine is taken over at least 256 numbers in a row: the logits of one place where it has so many classes, of as many texts
    in a row as make 256 where it has fewer (of two classes, near the boundary, a difference in the third digit turns two logits
    anywhere, though it says nothing). That of single places is counted beside it. Logits of words, and of more than two classes, are taken less
    their mean, which softmax does not see: a shift that all share is no difference, and hides none.
    """

    kind: Kind
    greatest_difference: float = 0.0
    least_cosine: float = 1.0
    least_cosine_of_one: float = 1.0
    num_places: int = 0
    num_flips: int = 0
    pooling_difference: float | None = None
    answers: list[tuple[Array, Array, Array]] = field(default_factory=list)  # of a text: labels, ours, the export's
    nats: list[tuple[Array, Array]] = field(default_factory=list)  # of the true words: ours, the export's
    _kept: list[tuple[Array, Array]] = field(default_factory=list)

    def add(self, inputs: Inputs, labels: Array, reference: dict[str, Array], exported: dict[str, Array]) -> None:
        """Count one batch."""
        ours, theirs = (self._places(inputs, labels, one["logits"]) for one in (reference, exported))
        if self.kind in WORDS or ours.shape[1] > 2:
            ours, theirs = (one - one.mean(axis=1, keepdims=True) for one in (ours, theirs))
        if ours.shape != theirs.shape:
            raise ValueError(f"the export answers {theirs.shape} numbers where the network answers {ours.shape}")
        self.num_places += len(ours)
        self.num_flips += int((ours.argmax(1) != theirs.argmax(1)).sum())
        difference = float(np.abs(ours - theirs).max(initial=0.0))
        self.greatest_difference = max(self.greatest_difference, difference if np.isfinite(difference) else np.inf)
        self.least_cosine_of_one = min([self.least_cosine_of_one, *_cosines(ours, theirs)])
        self._fill(ours, theirs)
        if self.kind in ("sequence_classification", "token_classification"):
            said = [one["logits"].argmax(axis=-1) for one in (reference, exported)]
            for row, asked in enumerate(labels >= 0):
                self.answers.append((labels[row][asked], said[0][row][asked], said[1][row][asked]))
        else:
            asked = labels >= 0
            both = [_nats(one["logits"][asked], labels[asked]) for one in (reference, exported)]
            self.nats.append((both[0], both[1]))
        if "pooling_weights" in reference:
            self._add_pooling(reference["pooling_weights"], exported.get("pooling_weights"))

    def finish(self) -> None:
        """Count the last, short block: on its own where there is no other, else with the one before."""
        if self._kept and sum(ours.size for ours, _ in self._kept):
            self.least_cosine = min([self.least_cosine, *_block(self._kept)])
        self._kept = []

    def _add_pooling(self, ours: Array, theirs: Array | None) -> None:
        if theirs is None or ours.shape != theirs.shape:
            answered = "none" if theirs is None else str(theirs.shape)
            raise ValueError(f"the export answers {answered} pooling weights where the network answers {ours.shape}")
        apart = float(np.abs(ours - theirs).max(initial=0.0))
        self.pooling_difference = max(self.pooling_difference or 0.0, apart if np.isfinite(apart) else np.inf)

    def _places(self, inputs: Inputs, labels: Array, logits: Array) -> Array:
        if self.kind == "sequence_classification":
            return logits
        found: Array = logits[labels >= 0 if self.kind == "seq2seq_lm" else inputs["attention_mask"] == 1]
        return found

    def _fill(self, ours: Array, theirs: Array) -> None:
        if ours.shape[1] >= BLOCK:
            self.least_cosine = min([self.least_cosine, *_cosines(ours, theirs)])
            return
        self._kept.append((ours, theirs))
        waiting = sum(one.size for one, _ in self._kept)
        if waiting >= 2 * BLOCK:  # so that what is left for the end is never less than a block
            size = -(-BLOCK // ours.shape[1])
            whole = [np.concatenate(side) for side in zip(*self._kept, strict=True)]
            while len(whole[0]) >= 2 * size:
                self.least_cosine = min([self.least_cosine, *_block([(whole[0][:size], whole[1][:size])])])
                whole = [side[size:] for side in whole]
            self._kept = [(whole[0], whole[1])]


def _block(pairs: list[tuple[Array, Array]]) -> list[float]:
    ours, theirs = (np.concatenate([one.reshape(-1) for one in side]) for side in zip(*pairs, strict=True))
    return _cosines(ours[None], theirs[None])


def _cosines(ours: Array, theirs: Array) -> list[float]:
    """The cosine of each row; of two rows of zeros 1, of one 0, and 0 where a number is not finite."""
    first, second = ours.astype(np.float64), theirs.astype(np.float64)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    with np.errstate(invalid="ignore"):
        cosine = (first * second).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
    cosine = np.where((first == second).all(axis=1), 1.0, cosine)
    found: list[float] = np.where(np.isfinite(cosine), cosine, 0.0).tolist()
    return found


def _nats(logits: Array, truth: Array) -> Array:
    """Minus the log probability of each true word."""
    wide: Any = logits.astype(np.float64)
    top = wide.max(axis=1, keepdims=True)
    total = top[:, 0] + np.log(np.exp(wide - top).sum(axis=1))
    found: Array = total - wide[np.arange(len(truth)), truth]
    return found
