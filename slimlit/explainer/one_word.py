"""``check_word``: a word that is to be explained alone has to be there."""

from collections.abc import Sequence

from slimlit.explain.words import Word
from slimlit.explainer.asked import Asked


def check_word(word: str, asked: Sequence[Asked]) -> None:
    """Refuse a word that is asked of no text.

    Raises:
        ValueError: no text has it, or answers are of whole texts.
    """
    questions = [one for example in asked for one in example.questions]
    if questions and all(one.word is None for one in questions):
        raise ValueError(f"--word {word!r} asks a word, and this run answers whole texts\nleave it out")
    if asked and not questions:
        offered = [one.text for example in asked for one in _offered(example) if one.text.strip()]
        shown = ", ".join(list(dict.fromkeys(offered))[:30]) or "none at all"
        raise ValueError(
            f"--word {word!r} is no word that is answered here; there are: {shown}\nit is compared as a whole, without case"
        )


def _offered(example: Asked) -> list[Word]:
    """The words it could be asked: what a network wrote, or all of a sentence."""
    start = next((first for name, first in example.sides if name == "what it wrote"), 0)
    return [word for word in example.words[start:] if not word.is_special]
