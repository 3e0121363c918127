"""``Language``: keeps the documents of some languages, as py3langid names them."""

from functools import cache
from typing import Any

from slimlit.text.prepare.reading import Reading
from slimlit.text.prepare.rules import Rule


class Language(Rule):
    """The document is in one of ``languages``.

    Args:
        languages: ISO 639-1 codes, out of the 97 that py3langid knows.
        num_characters: how much of the document is looked at, from its start; each call takes a millisecond or two.
    """

    def __init__(self, languages: list[str], num_characters: int = 300) -> None:
        if not languages:
            raise ValueError("languages is empty\nexpected codes such as [en, zh]")
        self.languages = languages
        self.num_characters = num_characters

    def reject(self, reading: Reading) -> str | None:
        """Why the document is rejected; None where it passes."""
        found = str(_identifier().classify(reading.text[: self.num_characters])[0])
        return None if found in self.languages else f"language {found!r}, expected {' or '.join(self.languages)}"


@cache
def _identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as missing:
        raise ValueError(
            'languages are told by a package that is missing\ntype: pip install "slimlit[languages]"'
        ) from missing
    return LanguageIdentifier.from_model_file(MODEL_FILE)
