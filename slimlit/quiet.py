"""Keeps advertisements and false alarms of our dependencies off the terminal, each by name."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

NOTICES = (
    "💡 Tip: ",
    "Seed set to ",
    "GPU available: False",
    "TPU available: ",
    "Using bfloat16 Automatic Mixed Precision",
    "Loading `train_dataloader` to estimate",
    "`Trainer.fit` stopped: `max_",
)
ALARMS = (
    r"Found \d+ module\(s\) in eval mode at the start of training",  # the teacher, which belongs there
    r"The number of training batches \(\d+\) is smaller than the logging interval",
    r"The '\w+_dataloader' does not have many workers",  # our texts are tokens already: workers cost more than they save
    r"You are using a custom batch sampler `\w+` for prediction",  # ours gives every row once
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # lightning 2.6 on torch 2.13
    r"\s*``instantiate_classes`` was deprecated in v4\.49",  # lightning 2.6 on jsonargparse 4.53, from here down
    r"\s*Optional type parameters without a default are currently not required",
    r"\s*By default only one JsonargparseDeprecationWarning per type is shown",
)


@contextmanager
def quietly() -> Iterator[None]:
    """Hide the messages named here, and no others."""
    loggers = [logging.getLogger(f"lightning.{part}.utilities.rank_zero") for part in ("pytorch", "fabric")]
    loggers.append(logging.getLogger("lightning.fabric.utilities.seed"))
    for logger in loggers:
        logger.addFilter(_is_news)
    with warnings.catch_warnings():
        for alarm in ALARMS:
            warnings.filterwarnings("ignore", message=alarm)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return not any(notice in record.getMessage()[:60] for notice in NOTICES)
