"""``BytePairs``: a byte-level BPE tokenizer run by tiktoken, with the ids of the Hugging Face tokenizer it was translated from."""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

Ids = npt.NDArray[np.uint32]
Lengths = npt.NDArray[np.int64]
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
_DIGITS = {"type": "Digits", "individual_digits": True}
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+|"  # GPT-2's own pattern, in parts
_RUN = re.compile(r"\s\s")


class UnfitError(ValueError):
    """This tokenizer has no exact translation; the message says why."""


class BytePairs:
    """Encodes with tiktoken.

    tiktoken joins two neighbours where their bytes together are a token; the library, where this pair is among the
    merges. They agree where every token has one pair, whose parts are bytes or made earlier: if ``encode(xy)`` ends in one
    token by way of another pair, x and y never come to stand side by side, at any step, in any text (Berglund and van der
    Merwe 2023, arXiv:2309.08715: neighbours in an encoding are encoded alike alone). A token that the library does not
    give for its own bytes never comes out of it, and is left out.

    Args:
        tokenizer: to translate.

    Raises:
        UnfitError: it is no byte-level BPE of the GPT-2 kind, or tiktoken is not installed.
    """

    name = "tiktoken"

    def __init__(self, tokenizer: Tokenizer, settings: dict[str, Any]) -> None:
        try:
            import tiktoken
        except ImportError:
            raise UnfitError('tiktoken is not installed: pip install "slimlit[fast]"') from None
        by_digit = _is_by_digit(settings)
        ranks, self._ids = _ranks(settings)
        number, space = (r"\p{N}", r"\s+(?![^\s\p{N}])|\s+") if by_digit else (r" ?\p{N}+", r"\s+(?!\S)|\s+")
        start = _WORDS + number + r"| ?[^\s\p{L}\p{N}]+|"
        # without a look ahead faster, and the same where no two spaces stand together
        self._single, self._runs = (
            tiktoken.Encoding(
                "translated", pat_str=start + end, mergeable_ranks=ranks, special_tokens={}
            ).encode_ordinary
            for end in (r"\s", space)
        )
        missing = {byte for byte in range(256) if bytes([byte]) not in ranks}
        self._missing = frozenset(missing)
        self._is_printable_known = not any(32 <= byte < 127 for byte in missing)
        self._odd_ascii = re.compile(_ranges([code for code in range(128) if code in missing]))
        self._odd: re.Pattern[str] | None = None
        self._is_odd = np.zeros(0, np.bool_)

    def can(self, text: str) -> bool:
        """Whether both libraries surely cut this text alike: no character is in it that they put into different classes."""
        if text.isascii():
            return (self._is_printable_known and text.isprintable()) or self._odd_ascii.search(text) is None
        if self._odd is None:
            self._is_odd = odd_characters() | _with_bytes(self._missing)
            # Python looks characters above U+FFFF up one range after the other: these are looked at again
            self._odd = re.compile(_ranges(np.append(np.flatnonzero(self._is_odd[:0x10000]), range(0x10000, 0x110000))))
        return self._odd.search(text) is None or not any(self._is_odd[ord(letter)] for letter in set(text))

    def encode(self, texts: Sequence[str]) -> tuple[Ids, Lengths]:
        """All ids end to end, and how many each text has."""
        found = [self._runs(text) if _has_run(text) else self._single(text) for text in texts]
        lengths = np.fromiter(map(len, found), np.int64, len(found))
        ranks = np.fromiter(chain.from_iterable(found), np.int64, int(lengths.sum()))
        return self._ids[ranks], lengths


def _has_run(text: str) -> bool:
    if text.isascii() and text.isprintable():
        return "  " in text
    return _RUN.search(text) is not None


def _is_by_digit(settings: dict[str, Any]) -> bool:
    """Whether digits are cut one by one; refuses what is not of the GPT-2 kind."""
    model, words = settings["model"], settings["pre_tokenizer"] or {}
    if model["type"] != "BPE" or settings["normalizer"] is not None:
        raise UnfitError("it is no BPE, or changes texts first")
    if model["dropout"] or model["byte_fallback"] or model["continuing_subword_prefix"] or model["end_of_word_suffix"]:
        raise UnfitError("its BPE has dropout, byte fallback, a prefix or a suffix")
    parts = words["pretokenizers"] if words.get("type") == "Sequence" else [words]
    plain = [{key: value for key, value in part.items() if key != "trim_offsets"} for part in parts]
    if plain not in ([_BYTE_LEVEL], [_DIGITS, _BYTE_LEVEL]):
        raise UnfitError("it does not cut texts as GPT-2 or SmolLM2 do")
    return len(plain) == 2


def _ranks(settings: dict[str, Any]) -> tuple[dict[bytes, int], Ids]:
    """The rank of each token in the order of the merges, bytes first, and the id at each rank."""
    vocabulary, byte_of = settings["model"]["vocab"], _bytes_of_letters()
    merges = [tuple(one.split(" ") if isinstance(one, str) else one) for one in settings["model"]["merges"]]
    letters = [letter for letter in byte_of if letter in vocabulary]
    made, products = set(letters), []
    for left, right in merges:
        if left not in made or right not in made or left + right in made:
            raise UnfitError("its merges are not in order, or make a token twice")
        made.add(left + right)
        products.append(left + right)
    model = models.BPE(vocabulary, merges)
    alive = {token for token in products if [one.id for one in model.tokenize(token)] == [vocabulary[token]]}
    if settings["model"]["ignore_merges"] and (len(alive) < len(products) or len(made) < len(_plain(settings))):
        raise UnfitError("it has tokens that no merges lead to")
    ranks = {bytes([byte_of[letter]]): rank for rank, letter in enumerate(letters)}
    for rank, token in enumerate(products, len(letters)):
        if token in alive:
            ranks[bytes(byte_of[letter] for letter in token)] = rank
    return ranks, np.asarray([vocabulary[token] for token in [*letters, *products]], dtype=np.uint32)


def _plain(settings: dict[str, Any]) -> set[str]:
    return set(settings["model"]["vocab"]) - {token["content"] for token in settings["added_tokens"]}


def _bytes_of_letters() -> dict[str, int]:
    """The letter that stands for each byte in a vocabulary, as GPT-2 chose them."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in visible]
    return {**{chr(byte): byte for byte in visible}, **{chr(256 + at): byte for at, byte in enumerate(others)}}


@cache
def odd_characters() -> npt.NDArray[np.bool_]:
    """Of each code point, whether the two libraries may put it into different classes, or Python's Unicode has none for it."""
    import tiktoken

    codes = [code for code in range(0x110000) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")]
    known = "".join(map(chr, codes))
    single_bytes = {bytes([byte]): byte for byte in range(256)}
    odd = _marked(known) ^ True
    for name in (r"\p{L}", r"\p{N}", r"\s"):
        probe = tiktoken.Encoding("probe", pat_str=name, mergeable_ranks=single_bytes, special_tokens={})
        ours = _marked(bytes(probe.encode_ordinary(known)).decode())
        split = pre_tokenizers.Split(Regex(name), "removed", invert=True)
        odd |= ours ^ _marked("".join(piece for piece, _ in split.pre_tokenize_str(known)))
        if name == r"\p{N}":  # what counts as a digit is a third table
            others = "".join(letter for letter in known if not letter.isalpha() or letter.isnumeric())
            cut = pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str("a" + "a".join(others))
            odd |= (ours & _marked(others)) ^ _marked("".join(one for one, _ in cut if len(one) == 1 and one != "a"))
        if name == r"\s":  # and what Python takes for a space, which finds the runs, a fourth
            odd |= ours ^ _marked("".join(letter for letter in known if letter.isspace()))
    return odd


def _marked(letters: str) -> npt.NDArray[np.bool_]:
    found = np.zeros(0x110000, dtype=np.bool_)
    found[np.frombuffer(letters.encode("utf-32-le"), dtype=np.uint32)] = True
    return found


def _with_bytes(missing: frozenset[int]) -> npt.NDArray[np.bool_]:
    """Of each code point, whether its UTF-8 has one of these bytes."""
    found = np.zeros(0x110000, dtype=np.bool_)
    found[0x30000:] = True  # nothing that anyone writes: not worth the time to look
    codes = np.r_[0:0xD800, 0xE000:0x30000]
    written = np.frombuffer(codes.astype("<u4").tobytes().decode("utf-32-le").encode(), dtype=np.uint8)
    is_missing = np.isin(written, list(missing))
    found[codes[np.cumsum((written & 0xC0) != 0x80)[is_missing] - 1]] = True
    return found


def _ranges(codes: Sequence[int] | Lengths) -> str:
    """A pattern for one of these code points; without any, for nothing."""
    at = np.asarray(codes, dtype=np.int64)
    if not len(at):
        return r"(?!)"
    breaks = np.flatnonzero(np.diff(at) > 1)
    starts, ends = at[np.r_[0, breaks + 1]], at[np.r_[breaks, len(at) - 1]]
    return "[" + "".join(f"\\U{start:08x}-\\U{end:08x}" for start, end in zip(starts, ends, strict=True)) + "]"
