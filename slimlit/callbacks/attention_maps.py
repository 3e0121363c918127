"""AttentionMaps: where the student's pooling and layers look in a few fixed texts, as training goes on."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn

from slimlit.callbacks.artifacts import Cell, keep_picture, keep_table, keep_text, show
from slimlit.callbacks.attention_page import UNSCORED, attention_page
from slimlit.callbacks.differential_privacy import is_private
from slimlit.explain.attention import attention_probabilities
from slimlit.explain.heat_map import draw_heat_maps
from slimlit.explain.word_strip import draw_word_strips
from slimlit.explain.words import Word, find_words, map_by_word, sum_by_word, words_of_tokens
from slimlit.models import read
from slimlit.tasks.base import Task
from slimlit.types import Batch, Output

_COLUMNS = ("example_id", "label", "predicted", "head", "position", "word", "weight")


@dataclass(frozen=True)
class _Example:
    row: int
    label: str
    words: list[Word]


class AttentionMaps(Callback):
    """Draw pooling weights over words, and attention of chosen layers, on the same few examples again and again.

    They are diagnostics of training and say so: nothing here has been scored against a random explanation.
    Writes ``attention/step-000123/*.svg``, ``weights.tsv`` beside them and ``attention/index.html`` over all steps.

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
        self._examples: list[_Example] = []
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

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        step = trainer.global_step
        if not trainer.is_global_zero or step == self._drawn_at or (not self.texts and is_private(trainer)):
            return
        self._drawn_at = step
        assert isinstance(pl_module, Task)
        data = trainer.datamodule  # type: ignore[attr-defined]
        split = data.encode(self.texts) if self.texts else data.splits[self.split]
        rows = list(range(len(self.texts))) or choose_examples(split.label_ids, self.num_examples)
        batch: Batch = trainer.strategy.batch_to_device(split.batch(rows))
        needs = frozenset(f"{part}.{layer}" for part in ("queries", "keys") for layer in self.layers)
        with _evaluating(pl_module.student), torch.no_grad(), trainer.precision_plugin.forward_context():
            output = read(pl_module.student, batch, needs)
        if output.pooling_weights is None and not self.layers:
            raise ValueError(
                f"AttentionMaps has nothing to draw: a {type(pl_module.student).__name__} has no attention pooling\n"
                "name encoder layers in AttentionMaps.layers, or give the student a pooling"
            )
        if not self._examples:
            self._examples = [_find_example(data, split, row, batch["input_ids"][i]) for i, row in enumerate(rows)]
        pages: dict[str, str] = {}
        table: list[list[Cell]] = []
        for number, example in enumerate(self._examples):
            predicted, says = _prediction(output, number, data.labels)
            heading = f"{'public text' if self.texts else f'{self.split} example'} {example.row}, step {step}"
            pictures = self._pictures(number, example, heading, says, output, batch)
            for name, picture in pictures.items():
                keep_picture(trainer, f"attention/step-{step:06d}/{name}.svg", picture)
            pages[f"attention/example_{example.row}"] = "".join(pictures.values())
            table += _table(number, example, predicted, output)
        keep_table(trainer, f"attention/step-{step:06d}/weights.tsv", _COLUMNS, table)
        keep_text(trainer, "attention/index.html", attention_page(Path(trainer.default_root_dir) / "attention"))
        show(trainer, pages, {"attention/weights": (_COLUMNS, table)})

    def _pictures(
        self, number: int, example: _Example, heading: str, says: str, output: Output, batch: Batch
    ) -> dict[str, str]:
        words, pictures = example.words, {}
        num_tokens = sum(len(word.tokens) for word in words)
        line = f"label: {example.label}, {says}"
        if output.pooling_weights is not None:
            weights = sum_by_word(output.pooling_weights[number, :, :num_tokens].float().cpu(), words).numpy()
            hidden: set[int] = set()
            if "pooling_mask" in batch:
                seen = batch["pooling_mask"][number].tolist()
                hidden = {place for place, word in enumerate(words) if not any(seen[token] for token in word.tokens)}
            strips = {f"pooling head {head + 1}": weights[head] for head in range(len(weights))}
            caption = f"where the pooling looked ({UNSCORED})"
            pictures[f"example-{example.row:05d}"] = draw_word_strips(heading, [line], words, strips, caption, hidden)
        names = [word.text for word in words]
        for layer in self.layers:
            mask = batch["attention_mask"][[number]]
            attention = attention_probabilities(output.queries[layer][[number]], output.keys[layer][[number]], mask)
            maps = map_by_word(attention[0, :, :num_tokens, :num_tokens].cpu(), words).numpy()
            pictures[f"example-{example.row:05d}-layer-{layer}"] = draw_heat_maps(
                f"{heading}, layer {layer}",
                {f"head {head + 1}": maps[head] for head in range(len(maps))},
                names,
                names,
                f"where each word (row) looked in layer {layer} ({UNSCORED})",
                least=3.0 / max(1, len(words)),
            )
        return pictures


def choose_examples(label_ids: np.ndarray, count: int) -> list[int]:
    """The first examples of each label in turn, at most ``count``, in the order of the data."""
    taken: Counter[int] = Counter()
    turns = []
    for row, label in enumerate(label_ids.tolist()):
        turns.append((taken[label], row))
        taken[label] += 1
    return sorted(row for _, row in sorted(turns)[:count])


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _find_example(data: Any, split: Any, row: int, input_ids: torch.Tensor) -> _Example:
    tokenizer = data.tokenizer
    label = int(split.label_ids[row])
    ids = input_ids[: int(split.lengths[row])].tolist()
    texts = [split.texts[row]] if split.pairs is None else [split.texts[row], split.pairs[row]]
    encoding = tokenizer(*texts, truncation=True, max_length=len(ids)).encodings[0]
    # a data module may have changed the text before the tokenizer saw it: then the tokens are all there is to show
    words = (
        find_words(encoding, texts) if encoding.ids == ids else words_of_tokens(tokenizer.convert_ids_to_tokens(ids))
    )
    return _Example(row, data.labels[label] if label >= 0 else "unknown", words)


def _prediction(output: Output, number: int, labels: Sequence[str]) -> tuple[str, str]:
    if output.logits.dim() == 3:
        return "", "student: a tag a word"
    probabilities = torch.softmax(output.logits[number].float(), dim=-1)
    best = int(probabilities.argmax())
    return labels[best], f"student: {labels[best]} ({float(probabilities[best]):.2f})"


def _table(number: int, example: _Example, predicted: str, output: Output) -> list[list[Cell]]:
    if output.pooling_weights is None:
        return []
    num_tokens = sum(len(word.tokens) for word in example.words)
    weights = sum_by_word(output.pooling_weights[number, :, :num_tokens].float().cpu(), example.words).tolist()
    return [
        [example.row, example.label, predicted, head + 1, place, word.text, weights[head][place]]
        for head in range(len(weights))
        for place, word in enumerate(example.words)
    ]
