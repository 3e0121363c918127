"""Which texts are explained: given ones, read as ``predict`` reads them, or those of the run's own splits."""

import json
import tempfile
from pathlib import Path
from typing import Any

from slimlit.data import Dialogues, LanguageModelling, Pairs, Tagging, TextClassification
from slimlit.explainer.asked import Wanted

STAGES = {"train": "fit", "validation": "validate", "test": "test"}


def read_given(data: Any, wanted: Wanted) -> tuple[str, list[int]]:
    """Read the texts of the command line or its file, tokenised as in training; the split they are in, and its rows.

    Raises:
        ValueError: nothing readable, or a second text where examples have none.
    """
    assert "predict" not in data.splits
    if wanted.text is None:
        data.sources["predict"] = wanted.file
        data.setup("predict")
    else:
        record = _record(data, wanted.text, wanted.pair)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "text.jsonl"
            file.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
            data.sources["predict"] = str(file)
            try:
                data.setup("predict")
            except ValueError as problem:
                if str(folder) not in str(problem):
                    raise
                raise ValueError(f"nothing of --text {wanted.text[:60]!r} is left to read") from problem
    return "predict", list(range(len(data.splits["predict"])))


def _record(data: Any, text: str, pair: str | None) -> dict[str, Any]:
    """The row of a file that this data module would read so."""
    if isinstance(data, TextClassification):
        if (data.columns.pair is None) != (pair is None):
            raise ValueError(
                "the run's examples are pairs of texts\ngive the second one: --pair"
                if pair is None
                else "the run's examples are single texts\nleave --pair out"
            )
        return {data.columns.text: text, **({} if data.columns.pair is None else {data.columns.pair: pair})}
    if pair is not None:
        raise ValueError(f"{type(data).__name__} reads single texts\nleave --pair out")
    if isinstance(data, Tagging):
        return {data.columns.text: text}
    if isinstance(data, Pairs):
        return {data.source_column: text}
    if isinstance(data, LanguageModelling):
        return {data.text_column: text}
    if isinstance(data, Dialogues):
        return {"messages": [{"role": "user", "content": text}]}
    raise ValueError(f"--text is not read by {type(data).__name__}\ngive a file it reads: --file FILE")


def read_own(data: Any, split: str) -> tuple[str, list[int]]:
    """The run's own texts of a split, and all its rows."""
    data.setup(STAGES[split])
    return split, list(range(len(data.splits[split])))
