"""``clean``: one form for each text, before anything is counted, compared or hashed."""

import re
import unicodedata

_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u2060\ufeff]")
_SPACES = re.compile(r"\s+")


def clean(text: str) -> str:
    """NFC, without control characters and zero-width spaces, runs of white space as one space, none at the ends.

    Guarantees:
        - cleaning twice is cleaning once.
    """
    return _SPACES.sub(" ", _INVISIBLE.sub("", unicodedata.normalize("NFC", text))).strip()
