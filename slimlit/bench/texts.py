"""``write_texts``: the validation texts that contestants are to be right on, as a file of plain arrays."""

from pathlib import Path
from typing import Any

import numpy as np

_NAMES = (
    *("input_ids", "attention_mask", "token_type_ids", "pooling_mask"),
    *("decoder_input_ids", "decoder_attention_mask", "labels"),
)


def write_texts(split: Any, path: Path, max_texts: int, batch_size: int = 16) -> int:
    """Write so many texts of a split at most, drawn, in batches; the number of them."""
    rows = np.random.default_rng(0).permutation(len(split))[:max_texts]
    rows = rows[np.argsort(split.lengths[rows], kind="stable")]
    arrays: dict[str, Any] = {}
    starts = range(0, len(rows), batch_size)
    for number, start in enumerate(starts):
        batch = split.batch(rows[start : start + batch_size].tolist())
        given = {name: batch[name].numpy() for name in _NAMES if name in batch}
        arrays |= {f"{number}.{name}": values for name, values in given.items()}
        arrays["names"] = np.asarray(list(given))
    np.savez(path, number=np.asarray(len(starts)), **arrays)
    return len(rows)
