"""Documents as tokens, cut into pieces that a network can read, and pieces packed into rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm  # type: ignore[import-untyped]

from slimlit.models.tokenizers import Tokenizer, without_limits
from slimlit.text.segmentation import split

Array = npt.NDArray[np.int32]
_CHUNK = 2_000_000  # characters tokenised at once


@dataclass(frozen=True)
class Piece:
    """Consecutive tokens of one document.

    ``labels`` is the word that follows each, -100 where the document ends without an end token; ``begins`` is 1 where a word
    begins, 0 where it goes on, -1 on tokens that are not of the text. ``num_bytes`` is the UTF-8 of what the labels say.
    """

    document: int
    input_ids: Array
    labels: Array | None
    begins: Array | None
    num_bytes: int


@dataclass(frozen=True)
class Around:
    """What a tokenizer puts around a text."""

    before: list[int]
    after: list[int]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "Around":
        """Found by asking it, without the padding and cutting that its file may ask for (MiniLM's does)."""
        one = without_limits(tokenizer).encode("a", add_special_tokens=True)
        own = [place for place, special in enumerate(one.special_tokens_mask) if not special]
        return cls(list(one.ids[: own[0]]), list(one.ids[own[-1] + 1 :]))


def next_word_pieces(texts: Sequence[str], tokenizer: Tokenizer, max_length: int) -> Iterator[Piece]:
    """Pieces to read word after word: every token of a document but its first is a label once, and then its end.

    A document begins with what the tokenizer puts before a text and ends with the end-of-text token (or what the
    tokenizer puts after a text), which is said but never read.
    """
    around = Around.of(tokenizer)
    end = around.after if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
    for number, (ids, num_bytes, _) in enumerate(_tokens(texts, tokenizer, None)):
        stream = np.asarray([*around.before, *ids, *end], dtype=np.int32)
        sizes = np.concatenate([np.zeros(len(around.before)), num_bytes, np.zeros(len(end))])
        for start in range(0, len(stream) - 1, max_length):
            said = slice(start + 1, start + 1 + max_length)
            read = stream[start : min(start + max_length, len(stream) - 1)]
            yield Piece(number, read, stream[said], None, int(sizes[said].sum()))


def masked_pieces(
    texts: Sequence[str], tokenizer: Tokenizer, max_length: int, whole_words: bool, language: str | None
) -> Iterator[Piece]:
    """Pieces to read whole, each within what the tokenizer puts around a text.

    Args:
        texts: the documents.
        tokenizer: a fast tokenizer.
        max_length: tokens of a piece at most.
        whole_words: whether ``begins`` follows words; else every token begins one.
        language: ``zh`` for Chinese words as rjieba finds them; the tokenizer's own words where not given.
    """
    around = Around.of(tokenizer)
    room = max_length - len(around.before) - len(around.after)
    words = None if not whole_words else (lambda text, one: _begins(text, one, language))
    for number, (ids, num_bytes, begins) in enumerate(_tokens(texts, tokenizer, words)):
        for start in range(0, len(ids), room):
            body = slice(start, start + room)
            first = np.ones(len(ids[body]), np.int32) if begins is None else begins[body].copy()
            first[0] = 1  # a word cut in two is two
            flags = np.concatenate([np.full(len(around.before), -1), first, np.full(len(around.after), -1)])
            read = np.asarray([*around.before, *ids[body], *around.after], dtype=np.int32)
            yield Piece(number, read, None, flags.astype(np.int32), int(num_bytes[body].sum()))


Words = Callable[[str, object], Array]


def _tokens(
    texts: Sequence[str], tokenizer: Tokenizer, words: Words | None
) -> Iterator[tuple[list[int], npt.NDArray[np.int64], Array | None]]:
    """The tokens of each text, the bytes each stands for (they add up to the text's), and where words begin."""
    backend = without_limits(tokenizer)
    with tqdm(total=len(texts), desc="tokenising", leave=False, disable=None if len(texts) > 20_000 else True) as bar:
        for chunk in _chunks(texts):
            for text, one in zip(chunk, backend.encode_batch(chunk, add_special_tokens=False), strict=True):
                yield list(one.ids), _num_bytes(text, one.offsets), None if words is None else words(text, one)
            bar.update(len(chunk))


def _chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text)
        if size > _CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _num_bytes(text: str, offsets: list[tuple[int, int]]) -> npt.NDArray[np.int64]:
    """Bytes from the end of the token before to the token's end; what follows the last is the last's."""
    if not offsets:
        return np.zeros(0, np.int64)
    ends = np.maximum.accumulate(np.asarray([end for _, end in offsets], dtype=np.int64))
    if not text.isascii():
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        sizes = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
        ends = np.concatenate([[0], np.cumsum(sizes)])[ends]
        total = int(sizes.sum())
    else:
        total = len(text)
    ends[-1] = total
    found: npt.NDArray[np.int64] = np.diff(ends, prepend=0)
    return found


def _begins(text: str, one: object, language: str | None) -> Array:
    """1 where a token begins a word, 0 where it goes on with the one before."""
    words: list[int | None]
    if language is None:
        words = one.word_ids  # type: ignore[attr-defined]
    else:
        pieces, _ = split(text, language)
        owner = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
        words = [int(owner[min(start, len(owner) - 1)]) for start, _ in one.offsets]  # type: ignore[attr-defined]
    flags = [place == 0 or word is None or word != words[place - 1] for place, word in enumerate(words)]
    return np.asarray(flags, dtype=np.int32)


def pack(lengths: Sequence[int], max_length: int) -> list[list[int]]:
    """Rows of pieces, as full as can be without cutting one: the longest first, each where it leaves least room.

    Best fit decreasing, as Ding et al. 2024 (arXiv:2404.10830) pack documents. Rows come in the order of their first
    pieces, and the pieces of a row in their own.
    """
    rooms: dict[int, list[int]] = {}  # rows by the room they have left
    left = 0  # bit n is set where a row has room for n tokens
    rows: list[list[int]] = []
    for number in np.argsort(-np.asarray(lengths), kind="stable").tolist():
        length = int(lengths[number])
        fitting = left >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = rooms[room].pop()
            if not rooms[room]:
                left &= ~(1 << room)
            rows[row].append(number)
        else:
            room, row = max_length, len(rows)
            rows.append([number])
        rooms.setdefault(room - length, []).append(row)
        left |= 1 << (room - length)
    return sorted(sorted(row) for row in rows)
