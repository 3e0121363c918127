"""``clean``: one form for each text, before anything is counted, compared or hashed."""

import re
import unicodedata

# Control characters other than white space, lone surrogates (no UTF-8 has them), soft hyphens, zero-width spaces, marks
# of writing direction. The zero-width joiners stay: Persian words and emoji are made with them.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]"
)
_SPACES = re.compile(r"\s+")


def clean(text: str) -> str:
    """NFC, without control and invisible characters, runs of white space as one space, none at the ends.

    Guarantees:
        - cleaning twice is cleaning once.
    """
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()  # most texts, at a tenth of the time
    visible = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    return _SPACES.sub(" ", visible).strip()


def clean_lines(text: str) -> str:
    """NFC, without control and invisible characters; lines and indentation stay, none of it at the ends.

    For texts that are written again as they are: replies with lists, code or verse.

    Guarantees:
        - cleaning twice is cleaning once.
    """
    visible = unicodedata.normalize("NFC", _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    return visible.strip()
