"""Where in a batch the prompts end and the answers begin."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slimlit.types import Batch


def last_answer(labels: Sequence[int] | npt.NDArray[np.integer]) -> int:
    """The place that says the first word of a row's last answer; -1 where it has none."""
    asked = np.flatnonzero(np.asarray(labels) != -100)
    if not len(asked):
        return -1
    gaps = np.flatnonzero(np.diff(asked) > 1)
    return int(asked[gaps[-1] + 1] if len(gaps) else asked[0])


def real_tokens(batch: Batch) -> list[list[int]]:
    """The tokens of each row, without padding."""
    lengths = batch["attention_mask"].sum(dim=1).tolist()
    return [ids[:length] for ids, length in zip(batch["input_ids"].tolist(), lengths, strict=True)]
