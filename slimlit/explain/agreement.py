"""``agreement``: whether two networks give the same reasons, word by word, whatever tokenizers they read with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from slimlit.explain.exam.intervals import Interval, mean_interval
from slimlit.explain.exam.randomisation import LEAST_WORDS
from slimlit.explain.exam.ranks import rank_correlation
from slimlit.explain.words import Word

Map = Float[np.ndarray, " words"]
Pieces = Float[np.ndarray, " pieces"]
Maps = Sequence[Float[np.ndarray, " _"]]  # of several texts, each with words of its own
TOP = 3  # words that are compared as the strongest


@dataclass(frozen=True)
class Agreement:
    """How alike two networks' maps of the same texts are, with intervals over texts (95 %).

    Args:
        rank_correlation: Spearman's, of the words of a text; random maps have 0.
        top_overlap: the share of one's strongest words that are among the other's.
        chance: the overlap of random maps of the same texts.
        num_texts: compared; texts of fewer than three words have no order to speak of.
        num_left_out: such texts.
    """

    rank_correlation: Interval
    top_overlap: Interval
    chance: float
    num_texts: int
    num_left_out: int


def agreement(ours: Maps, theirs: Maps, k: int = TOP, seed: int = 0) -> Agreement:
    """Rank correlation and overlap of the strongest words, mean over texts with bootstrap intervals.

    Guarantees:
        - any order-preserving change of either's numbers changes nothing;
        - it is the same whichever network is named first.

    Args:
        ours: a map for each text, a number a word (:func:`by_common_word` where tokenizers differ).
        theirs: the other network's maps of the same words.
        k: strongest words to compare; in a text of fewer, all of them overlap, and by chance too.
        seed: of the bootstrap.

    Raises:
        ValueError: the maps are of other texts or words, or no text has three words.
    """
    if k < 1:
        raise ValueError(f"k is {k}; expected 1 or more words")
    shapes = [[len(one) for one in maps] for maps in (ours, theirs)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"maps of {len(shapes[0])} texts and of {len(shapes[1])}, whose words do not match\n"
            "expected two maps of each text, with a number for each of the same words"
        )
    pairs = [pair for pair in zip(ours, theirs, strict=True) if len(pair[0]) >= LEAST_WORDS]
    if not pairs:
        raise ValueError(f"no text of the {len(ours)} has {LEAST_WORDS} words\ngive longer texts")
    return Agreement(
        rank_correlation=mean_interval(np.asarray([rank_correlation(*pair) for pair in pairs]), seed),
        top_overlap=mean_interval(np.asarray([top_overlap(*pair, k) for pair in pairs]), seed),
        chance=float(np.mean([chance_overlap(len(one), k) for one, _ in pairs])),
        num_texts=len(pairs),
        num_left_out=len(ours) - len(pairs),
    )


def top_overlap(one: Map, other: Map, k: int = TOP) -> float:
    """The share of one's ``k`` largest words that are among the other's, 0 to 1; all words where a text has fewer.

    Where equal numbers leave open which words are the largest, the mean over all choices, made apart for both: so a map that
    says nothing overlaps as much as chance.
    """
    size = min(k, len(one))
    return float(_membership(one, size) @ _membership(other, size)) / size


def chance_overlap(num_words: int, k: int = TOP) -> float:
    """What :func:`top_overlap` is expected to be where one of the maps is random."""
    return min(k, num_words) / num_words


def by_word(numbers: Float[np.ndarray, " inputs"], words: Sequence[Word]) -> Map:
    """The number of each word of the text, the sum over its tokens; special tokens are no words of it."""
    return np.asarray([numbers[list(word.tokens)].sum() for word in words if not word.is_special], dtype=np.float64)


def by_common_word(
    ours: Float[np.ndarray, " inputs"],
    our_words: Sequence[Word],
    theirs: Float[np.ndarray, " other_inputs"],
    their_words: Sequence[Word],
) -> tuple[Pieces, Pieces]:
    """Both maps over the smallest pieces of the text that both tokenizers cut out whole: words, if they cut there.

    Guarantees:
        - every word of a text that both read whole is in exactly one piece, and numbers keep their sum;
        - where the words are the same, so are the pieces.

    Raises:
        ValueError: the words are not of one text; a text that one of them cut off counts as far as it goes.
    """
    our_text, our_ends = _spell(our_words)
    their_text, their_ends = _spell(their_words)
    shorter = min(len(our_text), len(their_text))
    if our_text[:shorter] != their_text[:shorter]:
        at = next(place for place in range(shorter) if our_text[place] != their_text[place])
        raise ValueError(
            f"the words are of two texts: {our_text[at : at + 20]!r} stands where the other has "
            f"{their_text[at : at + 20]!r}\nexpected two tokenizations of one text"
        )
    cuts = np.intersect1d(our_ends, their_ends)
    return _sum_up_to(by_word(ours, our_words), our_ends, cuts), _sum_up_to(
        by_word(theirs, their_words), their_ends, cuts
    )


def _membership(values: Map, size: int) -> Map:
    """How surely each word is among the ``size`` largest: 1, 0, or its part of the places that equal numbers share."""
    least = np.sort(values)[len(values) - size]
    above, level = values > least, values == least
    return np.where(above, 1.0, np.where(level, (size - above.sum()) / level.sum(), 0.0))


def _spell(words: Sequence[Word]) -> tuple[str, npt.NDArray[np.int64]]:
    """The text without its spaces, and where in it each word ends."""
    pieces = ["".join(word.text.split()) for word in words if not word.is_special]
    return "".join(pieces), np.cumsum([len(piece) for piece in pieces], dtype=np.int64)


def _sum_up_to(values: Map, ends: Int[np.ndarray, " words"], cuts: Int[np.ndarray, " pieces"]) -> Pieces:
    pieces = np.searchsorted(cuts, ends)  # a word that ends behind a cut is of the piece that ends there
    kept = pieces < len(cuts)
    return np.bincount(pieces[kept], weights=values[kept], minlength=len(cuts))
