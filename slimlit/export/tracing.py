"""What every graph is traced with: inputs of free batch and length, and silence about things that are no news."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import torch
from torch.export import Dim

from slimlit.export.sample import Sample
from slimlit.models import PreTrainedModel
from slimlit.models.pretrained import quiet_files

_TOKENS, _BATCH = 9, 2  # of the traced example; no graph may depend on them


def traced_inputs(sample: Sample) -> dict[str, torch.Tensor]:
    """Two short texts, one of them padded, so that no mask is traced away."""
    found = {}
    for name in sample.names:
        fill = torch.zeros(_BATCH, _TOKENS, dtype=torch.int64)
        fill[:] = torch.from_numpy(sample.batches[0][name][0, :1])
        if name in ("attention_mask", "pooling_mask"):
            fill[1, _TOKENS // 2 :] = 0
        found[name] = fill
    return found


def free_axes(inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Batch and length of every input, free."""
    return {name: {0: Dim.DYNAMIC, 1: Dim.DYNAMIC} for name in inputs}


def outputs_of(network: PreTrainedModel) -> list[str]:
    """What an export of the network answers, in order."""
    from slimlit.models import SequenceClassifier

    return ["logits", *(["pooling_weights"] if isinstance(network, SequenceClassifier) else [])]


@contextmanager
def quietly_traced() -> Iterator[None]:
    """Trace without the tables, hints and version notes of the libraries on the way; what fails still raises."""
    before = logging.root.manager.disable
    with (
        quiet_files(),
        warnings.catch_warnings(),
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(before)
