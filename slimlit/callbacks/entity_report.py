"""EntityReport: how well each kind of entity is found, and the sentences with the most mistakes."""

from collections.abc import Sequence

from lightning.pytorch import Callback, LightningModule, Trainer

from slimlit.callbacks.artifacts import Cell, at_step, keep_json, keep_picture, keep_table, show
from slimlit.callbacks.differential_privacy import is_private
from slimlit.explain.bars import draw_bars
from slimlit.tasks import TokenClassification
from slimlit.tasks.token_classification import Scored
from slimlit.text.spans import find_spans, span_scores

_COLUMNS = ("type", "precision", "recall", "f1", "support")
_WORST = ("example_id", "mistakes", "words", "missed", "made_up")


class EntityReport(Callback):
    """After each validation and test, write what is found of each kind of entity, and the worst sentences.

    Writes ``reports/<split>-entities.tsv`` and ``.svg`` and ``reports/<split>-worst.tsv`` and ``.json``
    (there with the words and both readings of each sentence), and shows them in W&B.

    Guarantees:
        - each sentence counts once, whatever process scored it;
        - of a private run, which shows nobody a text, it lists no sentence.

    Args:
        num_worst: sentences to list, those with the most entities missed or made up first.
    """

    def __init__(self, num_worst: int = 20) -> None:
        if num_worst < 0:
            raise ValueError(f"EntityReport.num_worst is {num_worst}; expected 0 or more sentences")
        self.num_worst = num_worst

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a task that finds no entities.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(pl_module, TokenClassification):
            raise ValueError(
                f"EntityReport reports entities, and {type(pl_module).__name__} finds none\nuse EvaluationReport"
            )

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the validation report; not for the sanity check's few batches."""
        if not trainer.sanity_checking:
            self._report(trainer, pl_module, "validation")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the test report."""
        self._report(trainer, pl_module, "test")

    def _report(self, trainer: Trainer, pl_module: LightningModule, split: str) -> None:
        assert isinstance(pl_module, TokenClassification)
        scored = pl_module.scored.get(split)
        if scored is None or not trainer.is_global_zero:
            return
        rows, bars = _entities(scored)
        title = f"{split}: entities found{at_step(trainer)}"
        picture = draw_bars(title, bars, "bar: F1 of whole spans; an entity counts where type, start and end are right")
        keep_picture(trainer, f"reports/{split}-entities.svg", picture)
        keep_table(trainer, f"reports/{split}-entities.tsv", _COLUMNS, rows)
        tables = {f"{split}/entities": (_COLUMNS, rows)}
        if not is_private(trainer):
            sentences = trainer.datamodule.splits[split].sentences  # type: ignore[attr-defined]
            tables[f"{split}/worst"] = (_WORST, worst := worst_sentences(scored, sentences, self.num_worst))
            keep_table(trainer, f"reports/{split}-worst.tsv", _WORST, worst)
            keep_json(trainer, f"reports/{split}-worst.json", _spans(scored, sentences, [row[0] for row in worst]))
        show(trainer, {f"{split}/entities_picture": picture}, tables)


def _entities(scored: Scored) -> tuple[list[list[Cell]], list[tuple[str, float, str]]]:
    scores = span_scores(scored.expected, scored.predicted)
    named = {**scores.types, "all (micro)": scores.micro, "mean of types (macro)": scores.macro}
    rows: list[list[Cell]] = [
        [kind, score.precision, score.recall, score.f1, score.num_gold] for kind, score in named.items()
    ]
    bars = [
        (
            kind,
            score.f1,
            f"F1 {score.f1:.3f}, precision {score.precision:.3f}, recall {score.recall:.3f}, of {score.num_gold:,}",
        )
        for kind, score in named.items()
    ]
    return rows, bars


def worst_sentences(scored: Scored, sentences: Sequence[Sequence[str]], count: int) -> list[list[Cell]]:
    """The sentences with the most entities missed or made up, at most ``count``: their words and those entities."""
    found = []
    for row, expected, predicted in zip(scored.rows, scored.expected, scored.predicted, strict=True):
        true, said = find_spans([expected]), find_spans([predicted])
        if true != said:
            words, lost, extra = sentences[row], true - said, said - true
            found.append((len(lost) + len(extra), row, " ".join(words), _named(lost, words), _named(extra, words)))
    worst = sorted(found, key=lambda line: (-line[0], line[1]))[:count]
    return [[row, mistakes, *texts] for mistakes, row, *texts in worst]


def _spans(scored: Scored, sentences: Sequence[Sequence[str]], rows: Sequence[Cell]) -> dict[str, object]:
    """Of those rows the words, and the spans (type, first word, last word) as they are and as they were found."""
    place = {row: number for number, row in enumerate(scored.rows)}
    worst = []
    for row in rows:
        assert isinstance(row, int)
        number, found = place[row], {}
        for name, tags in (("expected", scored.expected), ("predicted", scored.predicted)):
            spans = sorted(find_spans([tags[number]]), key=lambda span: span[2:])
            found[name] = [[kind, first, last] for _, kind, first, last in spans]
        worst.append({"example_id": row, "words": list(sentences[row]), **found})
    wrong = sum(
        find_spans([one]) != find_spans([other]) for one, other in zip(scored.expected, scored.predicted, strict=True)
    )
    return {"examples": len(scored.rows), "wrong": wrong, "worst": worst}


def _named(spans: set[tuple[int, str, int, int]], words: Sequence[str]) -> str:
    ordered = sorted(spans, key=lambda span: span[2])
    return "; ".join(f"{kind}: {' '.join(words[first : last + 1])}" for _, kind, first, last in ordered)
