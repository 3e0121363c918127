"""AttentionMaps: where the student's pooling and layers look in a few fixed texts, and which heads matter, as training goes on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from slimlit.callbacks.artifacts import Cell, keep_picture, keep_table, keep_text, log_now, show
from slimlit.callbacks.attention_numbers import Look, head_numbers, heads_table, look, pooling_numbers
from slimlit.callbacks.attention_page import attention_page
from slimlit.callbacks.attention_pictures import (
    COLUMNS,
    HEADS,
    draw_heads,
    draw_layer,
    draw_pooling,
    predicted_label,
    weights_table,
)
from slimlit.callbacks.differential_privacy import is_private
from slimlit.callbacks.fixed_examples import FixedExamples, find_examples
from slimlit.explain.methods.reading import undisturbed
from slimlit.tasks.base import Task


class AttentionMaps(Callback):
    """Draw pooling weights over words, and attention of chosen layers, on the same few examples again and again.

    They are diagnostics of training and say so: nothing here has been scored against a random explanation.
    Writes ``attention/step-000123/*.svg``, ``weights.tsv`` and ``heads.tsv`` beside them and ``attention/index.html`` over all
    steps. Logs, as ``attention/...``, how widely pooling and heads look (spread, 0 to 1), how far they moved since the first
    drawing (change, 0 to 1), how unlike each other the heads of a layer are (distance, 0 to 1), and the share of heads that has
    nine tenths of all importance to the loss.

    Guarantees:
        - the examples are the same in every run on the same data: the first of each label in turn;
        - training is the same bit for bit with and without this callback;
        - between drawings nothing of it runs but a comparison of two numbers;
        - under privacy it draws ``texts`` alone, and nothing where there are none.

    Args:
        num_examples: texts to draw.
        layers: encoder layers (from 1) whose heads are drawn too, as maps of word to word.
        every_n_steps: optimizer steps between drawings; by default once at the end of each epoch.
        split: the split the texts are taken from.
        texts: public texts to draw instead of any split's; a private run shows nothing else.
    """

    def __init__(
        self,
        num_examples: int = 4,
        layers: list[int] | None = None,
        every_n_steps: int | None = None,
        split: Literal["train", "validation"] = "validation",
        texts: list[str] | None = None,
    ) -> None:
        if num_examples < 1:
            raise ValueError(f"AttentionMaps.num_examples is {num_examples}; expected 1 or more")
        if every_n_steps is not None and every_n_steps < 1:
            raise ValueError(f"AttentionMaps.every_n_steps is {every_n_steps}; expected 1 or more optimizer steps")
        self.num_examples = num_examples
        self.layers = layers or []
        self.every_n_steps = every_n_steps
        self.split = split
        self.texts = texts or []
        self._found: FixedExamples | None = None
        self._first: dict[str, Tensor] = {}
        self._drawn_at = -1

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the untrained student, which also finds out now what cannot be drawn."""
        if not self.texts and is_private(trainer):
            trainer.print(
                "AttentionMaps draws nothing: the texts are private; give it public ones to draw, AttentionMaps.texts"
            )
        if trainer.global_step == 0:
            self._draw(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draw where it is time."""
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0:
            self._draw(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw at the end of the epoch, unless steps are counted."""
        if self.every_n_steps is None:
            self._draw(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """What the first drawing saw: a resumed run goes on measuring change from there."""
        return dict(self._first)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it back."""
        self._first = dict(state_dict)

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        step = trainer.global_step
        if not trainer.is_global_zero or step == self._drawn_at or (not self.texts and is_private(trainer)):
            return
        self._drawn_at = step
        assert isinstance(pl_module, Task)
        if self._found is None:
            self._found = find_examples(trainer, self.num_examples, self.split, self.texts)
        with trainer.precision_plugin.forward_context():
            with undisturbed(pl_module.student, gradients=False):
                now = look(pl_module, self._found.batch)
            self._check(pl_module, now)
            numbers, heads = self._measure(pl_module, self._found, now)
        folder, pages = f"attention/step-{step:06d}", self._pages(trainer, self._found, now)
        weights = self._weights(trainer, self._found, now)
        keep_table(trainer, f"{folder}/weights.tsv", COLUMNS, weights)
        tables: dict[str, tuple[Sequence[str], list[list[Cell]]]] = {"attention/weights": (COLUMNS, weights)}
        if heads:
            pages["attention/heads"] = draw_heads(f"attention heads, step {step}", heads)
            tables["attention/heads_table"] = (HEADS, heads)
            keep_picture(trainer, f"{folder}/heads.svg", pages["attention/heads"])
            keep_table(trainer, f"{folder}/heads.tsv", HEADS, heads)
        keep_text(trainer, "attention/index.html", attention_page(Path(trainer.default_root_dir) / "attention"))
        log_now(trainer, numbers)
        show(trainer, pages, tables)

    def _check(self, task: Task, now: Look) -> None:
        name = type(task.student).__name__
        if now.output.pooling_weights is None and not self.layers:
            raise ValueError(
                f"AttentionMaps has nothing to draw: a {name} has no attention pooling\n"
                "name encoder layers in AttentionMaps.layers, or give the student a pooling"
            )
        for layer in self.layers:
            if not 1 <= layer <= len(now.layers):
                depth = f"expected 1 to {len(now.layers)}" if now.layers else "its attention cannot be read"
                raise ValueError(f"AttentionMaps.layers names layer {layer} of a {name}; {depth}")

    def _measure(self, task: Task, found: FixedExamples, now: Look) -> tuple[dict[str, float], list[list[Cell]]]:
        """Numbers to log, and the table of heads."""
        numbers: dict[str, float] = {}
        heads: list[list[Cell]] = []
        if now.output.pooling_weights is not None:
            weights = now.output.pooling_weights.float()
            first = self._first.setdefault("pooling", weights.cpu()).to(weights.device)
            numbers |= pooling_numbers(weights, first, found.batch)
        if now.layers:
            heads = heads_table(task, found.batch, now, self._first.setdefault("heads", now.maps.cpu()))
            numbers |= head_numbers(heads)
        return numbers, heads

    def _pages(self, trainer: Trainer, found: FixedExamples, now: Look) -> dict[str, str]:
        """Pictures by example, each kept as a file too."""
        labels, step, pages = trainer.datamodule.labels, trainer.global_step, {}  # type: ignore[attr-defined]
        for number, example in enumerate(found.examples):
            heading, name = f"{found.name} {example.row}, step {step}", f"example-{example.row:05d}"
            pictures = {}
            if now.output.pooling_weights is not None:
                says = predicted_label(now.output, number, labels)[1]
                pictures[name] = draw_pooling(number, example, heading, says, now.output, found.batch)
            for layer in self.layers:
                pictures[f"{name}-layer-{layer}"] = draw_layer(example, heading, layer, now.layers[layer - 1][number])
            for file, picture in pictures.items():
                keep_picture(trainer, f"attention/step-{step:06d}/{file}.svg", picture)
            pages[f"attention/example_{example.row}"] = "".join(pictures.values())
        return pages

    def _weights(self, trainer: Trainer, found: FixedExamples, now: Look) -> list[list[Cell]]:
        if now.output.pooling_weights is None:
            return []
        labels = trainer.datamodule.labels  # type: ignore[attr-defined]
        return [
            row
            for number, example in enumerate(found.examples)
            for row in weights_table(number, example, predicted_label(now.output, number, labels)[0], now.output)
        ]
