"""``note``: what a reader of an export's card must know beside its measures, a line each."""

from collections.abc import Mapping
from typing import Any

from slimlit.export.card import Card, bytes_of_model

ENOUGH = 256  # texts: of fewer a loss of half a point is one answer, or none


def note(card: Card, rounding: Mapping[str, Any] | None, student: Mapping[str, int]) -> list[str]:
    """The lines.

    Args:
        card: measured.
        rounding: what the student's configuration says of how its weights are rounded; None where they are plain.
        student: the sizes of its files.
    """
    lines, number = [], card.texts["number"]
    if number < ENOUGH:
        lines.append(
            f"weak evidence: it was checked on {number} validation text{'s' * (number != 1)}; {ENOUGH} or more say something"
        )
    others = card.measures.get("prompts with other words after them", 0)
    if others:
        lines.append(f"it writes other words than the network after {others} of {card.measures['prompts']} prompts")
    if rounding is not None:
        anew = ", and are rounded anew to int8" if card.name.endswith("-int8") else ""
        lines.append(
            f"the student's weights of {rounding['bits']} bits ({bytes_of_model(student) / 1e6:.2f} MB) leave restored to float32{anew}: "
            f"{card.num_bytes / 1e6:.2f} MB"
        )
        if rounding["activations"] == "int8":
            lines.append(
                "the student rounds its states to int8 too: that rounding does not leave with it, and the differences hold it"
            )
    return lines
