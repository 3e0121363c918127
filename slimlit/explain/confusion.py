"""``draw_confusion``: what a classifier takes for what, as a picture."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from slimlit.explain.heat_map import draw_heat_maps


def draw_confusion(confusion: Int[np.ndarray, "classes classes"], labels: Sequence[str], title: str) -> str:
    """The counts of label (row) and answer (column), each row shaded by its shares."""
    shares = confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True))
    numbers = [[f"{count:,}" for count in row] for row in confusion.tolist()]
    right, total = int(np.trace(confusion)), int(confusion.sum())
    caption = f"numbers: examples, shade: share of the row; right: {right:,} of {total:,}"
    return draw_heat_maps(title, {"": shares}, labels, labels, caption, numbers, ("label", "student"))
