"""From tokens back to words: which tokens make up which word of the text, and weights summed over them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

# scripts written without spaces: a tokenizer's "word" may be a whole sentence there, so each token stands alone
_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x2E80, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


@runtime_checkable
class Encoding(Protocol):
    """What is read of a ``tokenizers.Encoding``."""

    @property
    def offsets(self) -> Sequence[tuple[int, int]]:
        """The characters each token covers."""

    @property
    def word_ids(self) -> Sequence[int | None]:
        """The pre-tokenizer's word each token belongs to."""

    @property
    def sequence_ids(self) -> Sequence[int | None]:
        """0 in the text, 1 in its pair, None on special tokens."""

    @property
    def tokens(self) -> Sequence[str]:
        """The tokens as the vocabulary spells them."""


@dataclass(frozen=True)
class Word:
    """A word as the text spells it, its tokens, and how it is set.

    ``is_glued`` says that no space stands before it; ``is_special`` that it is no part of the text ([CLS], [SEP]).
    """

    text: str
    tokens: tuple[int, ...]
    is_glued: bool = False
    is_special: bool = False


def find_words(encoding: Encoding, texts: Sequence[str]) -> list[Word]:
    """The words of a text, or of a pair of texts, as the tokenizer saw them; Chinese by character.

    Guarantees:
        - every token belongs to exactly one word, and words keep the tokens' order;
        - the text of a word is a slice of the original, accents and capitals included.
    """
    words: list[Word] = []
    start = end = 0
    before: tuple[int | None, int | None] = (None, None)
    offsets, names = encoding.offsets, encoding.tokens  # each asking copies the whole list
    for token, (sequence, word_id) in enumerate(zip(encoding.sequence_ids, encoding.word_ids, strict=True)):
        here = offsets[token]
        if sequence is None:
            words.append(Word(names[token], (token,), is_special=True))
        else:
            text = texts[sequence]
            is_same = before == (sequence, word_id) and word_id is not None
            overlaps = before[0] == sequence and here[0] < end  # one character in several byte-level tokens
            if overlaps or (is_same and not _is_unspaced(text[start:end]) and not _is_unspaced(text[slice(*here)])):
                last = words.pop()
                end = max(end, here[1])
                words.append(Word(text[start:end].strip(), (*last.tokens, token), last.is_glued))
            else:
                is_glued = before[0] == sequence and here[0] == end and not text[here[0] : here[0] + 1].isspace()
                start, end = here
                words.append(Word(text[start:end].strip(), (token,), is_glued))
        before = (sequence, word_id)
    return words


def words_of_tokens(tokens: Sequence[str]) -> list[Word]:
    """Each token as a word of its own, spelled as in the vocabulary; where the text itself is not at hand."""
    return [Word(token, (position,)) for position, token in enumerate(tokens)]


def words_of_sentence(
    word_ids: Sequence[int], tokens: Sequence[str], words: Sequence[str], spans: Sequence[tuple[int, int]] = ()
) -> list[Word]:
    """The words of a sentence that was given as words, those of them that have tokens.

    Args:
        word_ids: the word each token belongs to, -1 where to none.
        tokens: as the vocabulary spells them.
        words: of the sentence.
        spans: where each stands in its text; else words are set apart but where their script writes none.
    """
    found: list[Word] = []
    before = -1
    for token, word in enumerate(word_ids):
        if word < 0:
            found.append(Word(tokens[token], (token,), is_special=True))
        elif word == before:
            last = found.pop()
            found.append(Word(last.text, (*last.tokens, token), last.is_glued))
        else:
            joined = bool(found) and not found[-1].is_special and before == word - 1
            touches = spans[word][0] == spans[word - 1][1] if spans and word else False
            unspaced = word > 0 and _is_unspaced(words[word]) and _is_unspaced(words[word - 1])
            found.append(Word(words[word], (token,), joined and (touches if spans else unspaced)))
        before = word
    return found


def words_of_ids(
    ids: Sequence[int], spell: Callable[[Sequence[int]], str], special_ids: Collection[int], first: int = 0
) -> list[Word]:
    """Each token of a written text as a word of its own; tokens that are one character only together, and a space alone, join the next.

    Args:
        ids: the tokens.
        spell: tokens to text, as it is.
        special_ids: those that are no part of the text.
        first: the number of the first token.
    """
    found: list[Word] = []
    said, waiting = "", []
    for token, number in enumerate(ids):
        whole = spell(ids[: token + 1])
        waiting.append(first + token)
        piece = whole[len(said) :]
        if token + 1 < len(ids) and (whole.endswith("\N{REPLACEMENT CHARACTER}") or piece.strip(" ") == ""):
            continue
        said = whole
        is_glued = bool(found) and not piece[:1].isspace()
        text = piece.replace("\n", "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}").strip() or "\N{OPEN BOX}"
        found.append(Word(text, tuple(waiting), is_glued, number in special_ids))
        waiting = []
    return found


def sum_by_word(weights: Float[Tensor, "heads tokens"], words: Sequence[Word]) -> Float[Tensor, "heads words"]:
    """The weight of each word: the sum over its tokens."""
    return weights @ _membership(words, weights)


def map_by_word(
    attention: Float[Tensor, "heads tokens tokens"], words: Sequence[Word]
) -> Float[Tensor, "heads words words"]:
    """How much each word (row) attends to each (column): the mean over its tokens of the sums over the other's.

    Guarantees:
        - rows that sum to one over tokens sum to one over words.
    """
    return map_between_words(attention, words, words)


def map_between_words(
    attention: Float[Tensor, "heads queries keys"], rows: Sequence[Word], columns: Sequence[Word]
) -> Float[Tensor, "heads rows columns"]:
    """How much each word that reads attends to each word that is read; the tokens of both are numbered from 0."""
    reading = _membership(rows, attention[:, :, 0])
    return (reading / reading.sum(dim=0)).T @ attention @ _membership(columns, attention)


def _membership(words: Sequence[Word], like: Tensor) -> Float[Tensor, "tokens words"]:
    member = torch.zeros(like.shape[-1], len(words), dtype=like.dtype, device=like.device)
    for number, word in enumerate(words):
        member[list(word.tokens), number] = 1.0
    return member


def _is_unspaced(text: str) -> bool:
    return any(first <= ord(character) <= last for character in text for first, last in _UNSPACED)
