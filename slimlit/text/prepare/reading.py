"""``Reading``: one document as the rules look at it; each view of it is made once, when first asked for."""

import re
import string
import unicodedata
from functools import cached_property

from slimlit.text.segmentation import split

_CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]"
)
_LINE_END = re.compile(r"\r\n?|\x85|\u2028|\u2029")
_PARAGRAPH_END = re.compile(r"\n\s*\n")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_PUNCTUATION = string.punctuation.encode()
_LOWER_AND_SPACES = bytes.maketrans(
    string.ascii_uppercase.encode() + b"\t\n\v\f\r\x1c\x1d\x1e\x1f", string.ascii_lowercase.encode() + b" " * 9
)


def tidy(text: str) -> str:
    """NFC, one kind of line end, no control or invisible characters, no white space at the ends; lines stay.

    Guarantees:
        - tidying twice is tidying once.
    """
    if text.isascii():
        plain = text.encode()
        if plain.translate(None, _CONTROLS) != plain or b"\r" in plain:
            plain = plain.replace(b"\r\n", b"\n").replace(b"\r", b"\n").translate(None, _CONTROLS)
        return plain.decode().strip()
    text = _INVISIBLE.sub("", _LINE_END.sub("\n", text))
    return unicodedata.normalize("NFC", text).strip()


def normal_form(text: str) -> str:
    """What SlimPajama compares and counts: lower case, no ASCII punctuation, each run of white space one space.

    Source: Soboleva et al. 2023, SlimPajama, steps 2 and 3.1 (``get_features`` of the published scripts).
    """
    if text.isascii():
        plain = text.encode().translate(_LOWER_AND_SPACES, _PUNCTUATION).strip()
        while b"  " in plain:
            plain = plain.replace(b"  ", b" ")
        return plain.decode()
    return " ".join(text.lower().encode().translate(None, _PUNCTUATION).decode().split())


class Reading:
    """One document's text, its words, lines and paragraphs, and the form it is compared in."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def normal(self) -> str:
        """The form the text is compared in."""
        return normal_form(self.text)

    @cached_property
    def is_chinese(self) -> bool:
        """Whether at least a fifth of the characters are Han, so that words have no spaces between them."""
        if self.text.isascii():
            return False
        return 5 * sum(map(len, _HAN.findall(self.text))) >= len(self.text)

    @cached_property
    def words(self) -> list[str]:
        """What stands between white space; in a Chinese text the words that rjieba finds, and punctuation."""
        if self.is_chinese:
            return [piece for piece in split(self.text, "zh")[0] if not piece.isspace()]
        return self.text.split()

    @cached_property
    def lines(self) -> list[str]:
        """The lines that are not empty, without white space at their ends."""
        return [line for line in map(str.strip, self.text.split("\n")) if line]

    @cached_property
    def paragraphs(self) -> list[str]:
        """What stands between empty lines."""
        return [part.strip() for part in _PARAGRAPH_END.split(self.text)]
