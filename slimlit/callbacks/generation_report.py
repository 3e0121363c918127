"""GenerationReport: what teacher and student write of a few fixed texts, beside the reference, as training goes on."""

import json
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from slimlit.callbacks.artifacts import Cell, keep_table, keep_text, show
from slimlit.callbacks.differential_privacy import is_private
from slimlit.models import PreTrainedModel
from slimlit.tasks.seq2seq import Seq2Seq
from slimlit.types import Batch

_COLUMNS = ("example_id", "source", "reference", "teacher", "student")


class GenerationReport(Callback):
    """After each validation and test, write a table of source, reference, teacher and student, and show it in W&B.

    Writes ``reports/<split>-outputs.tsv``, and ``reports/<split>-signatures.json``: by which rules the scores were counted.

    Guarantees:
        - the texts are the same in every run on the same data: the first of the split;
        - the teacher writes once, since neither it nor the texts change;
        - training is the same bit for bit with and without this callback;
        - under privacy it shows ``texts`` alone, and nothing where there are none.

    Args:
        num_examples: texts of the split to show.
        texts: public texts to show instead of any split's; a private run shows nothing else.
    """

    def __init__(self, num_examples: int = 8, texts: list[str] | None = None) -> None:
        if num_examples < 1:
            raise ValueError(f"GenerationReport.num_examples is {num_examples}; expected 1 or more")
        self.num_examples = num_examples
        self.texts = texts or []
        self._teacher: dict[str, dict[int, str]] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a task that writes nothing, and say where nothing will be shown.

        Raises:
            ValueError: the task is no Seq2Seq.
        """
        if not isinstance(pl_module, Seq2Seq):
            raise ValueError(
                f"GenerationReport shows what is written of texts, and a {type(pl_module).__name__} writes nothing\n"
                "take it out of trainer.callbacks"
            )
        if is_private(trainer) and not self.texts:
            trainer.print(
                "GenerationReport shows nothing: the texts are private; give it public ones, GenerationReport.texts"
            )

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the validation table; not for the sanity check."""
        if not trainer.sanity_checking:
            self._report(trainer, pl_module, "validation")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the test table."""
        self._report(trainer, pl_module, "test")

    def _report(self, trainer: Trainer, task: LightningModule, name: str) -> None:
        assert isinstance(task, Seq2Seq)
        if not trainer.is_global_zero:
            return
        if task.signatures:
            keep_text(trainer, f"reports/{name}-signatures.json", json.dumps(task.signatures, indent=2) + "\n")
        if is_private(trainer) and not self.texts:
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        split = data.encode(self.texts) if self.texts else data.splits[name]
        rows = list(range(min(self.num_examples, len(split)))) if not self.texts else list(range(len(split)))
        batch: Batch = trainer.strategy.batch_to_device(split.batch(rows))
        if task.teacher is not None and name not in self._teacher:
            self._teacher[name] = self._write(trainer, task, task.teacher, batch)
        teacher, student = self._teacher.get(name, {}), self._write(trainer, task, task.student, batch)
        table: list[list[Cell]] = []
        for row in rows:
            references = [] if self.texts else data.references[name][row]
            table.append([row, split.texts[row], " | ".join(references), teacher.get(row), student[row]])
        keep_table(trainer, f"reports/{name}-outputs.tsv", _COLUMNS, table)
        show(trainer, tables={f"{name}/outputs": (_COLUMNS, table)})

    def _write(self, trainer: Trainer, task: Seq2Seq, network: PreTrainedModel, batch: Any) -> dict[int, str]:
        with trainer.precision_plugin.forward_context():
            return task.write(network, batch)
