"""``split``: a text cut into words and what stands between them; Chinese, which has no spaces, by rjieba."""

import re
import sys
import unicodedata
from importlib.metadata import version
from types import ModuleType

UNSPACED = ("ja", "th")  # of the languages with a stop-word list; nothing here finds their words


def _vowel_signs() -> str:
    """The combining marks, which Python counts to no word though Hindi or Arabic words are full of them, as ranges."""
    marks = [code for code in range(0x300, 0x3000) if unicodedata.category(chr(code)).startswith("M")]
    starts = [code for code in marks if unicodedata.category(chr(code - 1))[0] != "M"]
    ends = [code for code in marks if unicodedata.category(chr(code + 1))[0] != "M"]
    return "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))


_PART = rf"(?:[^\W_]++[{_vowel_signs()}\u200c\u200d]*+)++"
_WORD = re.compile(rf"({_PART}(?:['-]{_PART})*)")
_ASCII_WORD = re.compile(r"([a-zA-Z0-9]+(?:['-][a-zA-Z0-9]+)*)")  # the same words, in half the time
_APOSTROPHES = str.maketrans("\u2019\u02bc\uff07", "'''")


def fold(text: str) -> str:
    """The text in lower case and with plain apostrophes, each character where it was."""
    plain = text if text.isascii() else text.translate(_APOSTROPHES)
    folded = plain.casefold()
    if len(folded) == len(plain):
        return folded
    return "".join(small if len(small := letter.casefold()) == 1 else letter for letter in plain)


def split(text: str, language: str) -> tuple[list[str], list[str]]:
    """All pieces of a text, which joined are the text, and those of them that are words."""
    if language == "zh":
        pieces: list[str] = _rjieba().cut(text)
        return pieces, [piece for piece in pieces if piece[0].isalnum()]
    pieces = (_ASCII_WORD if text.isascii() else _WORD).split(text)
    return pieces, pieces[1::2]


def rule(language: str) -> str:
    """Names how words are found, so that what was made with another rule is not taken for the same."""
    if language == "zh":
        _rjieba()
        return f"rjieba {version('rjieba')}"
    return f"words 2, Unicode {unicodedata.unidata_version}"


def _rjieba() -> ModuleType:
    try:
        import rjieba
    except ImportError as missing:
        raise ValueError(
            f'Chinese words are found by a package that is missing\ntype: {sys.executable} -m pip install "slimlit[chinese]"'
        ) from missing
    module: ModuleType = rjieba
    return module
