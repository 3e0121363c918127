"""What a logged metric is called and how its numbers are written."""

_SHARES = {"accuracy", "macro_f1", "f1", "precision", "recall", "agreement", "calibration_error", "token_accuracy"}
_SHARES |= {"macro_precision", "macro_recall", "exact_match"}
_OF_100 = {"bleu", "chrf", "reply_bleu", "reply_chrf", "reply_rougeL", "rouge1", "rouge2", "rougeL", "ter"}
_LOWER = {"loss", "perplexity", "calibration_error", "divergence", "bits_per_byte", "ter"}
_NAMES = {
    "f1": "F1",
    "macro_f1": "macro F1",
    "bleu": "BLEU",
    "chrf": "chrF",
    "lr": "learning rate",
    "reply_bleu": "BLEU of replies",
    "reply_chrf": "chrF of replies",
    "reply_rougeL": "ROUGE-L of replies",
    "rougeL": "ROUGE-L",
    "agreement": "agreement with the teacher",
    "calibration_error": "calibration error",
    "bits_per_byte": "bits per byte",
}


def kind(metric: str) -> str:
    """A metric without its split: ``accuracy`` of ``test/accuracy``."""
    return metric.partition("/")[2] or metric


def name(metric: str) -> str:
    """What people call it."""
    short = kind(metric)
    return _NAMES.get(short, short.replace("_", " "))


def shown(metric: str, value: float) -> str:
    """A value as people write it: a share in per cent."""
    short = kind(metric)
    if short in _SHARES:
        return f"{100 * value:.1f} %"
    return f"{value:.1f}" if short in _OF_100 else f"{value:.4g}"


def is_score(metric: str) -> bool:
    """Whether more of it is better, so that a student can have a share of the teacher's."""
    return kind(metric) in (_SHARES | _OF_100) - _LOWER - {"agreement"}


def count(value: int | float) -> str:
    """A number of things: 17.2 M, 880 k, 3."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e4)):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):.3g} {unit}"
    return f"{value:,.0f}"


def size(num_bytes: int | float) -> str:
    """A size of a file."""
    for unit, one in (("GiB", 2**30), ("MiB", 2**20), ("kB", 1e3)):
        if num_bytes >= one:
            return f"{num_bytes / one:.3g} {unit}"
    return f"{num_bytes:.0f} bytes"
