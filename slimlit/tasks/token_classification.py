"""Tag the words of sentences: names in news, slots of a request; plainly or distilled from a teacher, token by token."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

import numpy as np
import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from slimlit.losses import HardLabels, Loss
from slimlit.models import Network, Shrunk, read
from slimlit.models.compatibility import check_text
from slimlit.models.network import Kind
from slimlit.tasks.base import MakeOptimizer, Task
from slimlit.tasks.optimizers import AdamW
from slimlit.tasks.word_answers import WordAnswers, answers_of_words
from slimlit.text.spans import find_spans, span_scores
from slimlit.types import Batch, Needs, Output


@dataclass(frozen=True)
class Scored:
    """The tags of all words of the scored sentences, by row: what they are, and what the student says."""

    rows: list[int]
    expected: list[list[str]]
    predicted: list[list[str]]


class TokenClassification(Task):
    """One tag a word, said by its first sub-word. The classes are the tags of the data.

    Guarantees:
        - scores count every word of a sentence: one that was cut off, or of which the tokenizer left nothing, is answered
          ``O``;
        - a teacher with another tokenizer is read on the same words, its answer at the first sub-word of each.

    Args:
        student: the network to train.
        teacher: a fine-tuned network over the same tags; without one, training is plain.
        loss: what to minimise; outputs and batch in, one number per sentence out.
        optimizer: called with the parameters of student and loss.
        warmup: fraction of the steps over which the learning rate rises; then it falls linearly to zero.
        train_words: ``"seen"`` trains those rows of the word table whose words are in the training texts.
        freeze: parts of the student that stay as they are, by their names in it.
    """

    kind: ClassVar[Kind] = "token_classification"
    monitor: ClassVar[str] = "validation/f1"
    mode: ClassVar[Literal["max", "min"]] = "max"

    def __init__(
        self,
        student: Network,
        teacher: Network | None = None,
        loss: Loss | None = None,
        optimizer: MakeOptimizer = AdamW,
        warmup: float = 0.1,
        train_words: Literal["all", "seen"] = "all",
        freeze: list[str] | None = None,
    ) -> None:
        super().__init__(student, teacher, loss or HardLabels(), optimizer, warmup, train_words, freeze)
        self.scored: dict[str, Scored] = {}

    def check_fit(self, data: Any) -> None:
        """As of every task; and a teacher with a tokenizer of its own is asked for its answers alone.

        Raises:
            ValueError: they do not fit.
        """
        super().check_fit(data)
        if data.teacher_tokenizer is None:
            return
        inner = sorted(self.loss.teacher_needs - {"logits"})
        if inner:
            raise ValueError(
                f"the loss compares {inner[0]} of tokens, and teacher and student have other tokens: data.init_args.teacher_tokenizer\n"
                "words align their answers, not their states: use HardLabels and SoftTargets, or a student of the teacher's tokens"
            )
        is_of_teacher = isinstance(self.student_network, Shrunk) and self.student_network.of is None
        if is_of_teacher and data.teacher_tokenizer.get_vocab() != data.tokenizer.get_vocab():
            raise ValueError(
                "the student is made of the teacher, so it reads the teacher's tokens\n"
                "leave data.init_args.teacher_tokenizer out, or make it of another model: set of: MODEL"
            )
        own = [
            split.columns["teacher_input_ids"].lengths.max() for name, split in data.splits.items() if name != "predict"
        ]
        if self.teacher_network is not None:
            config = self.teacher_network.config(self.head)
            check_text(config, "teacher", data.teacher_tokenizer, int(max(own, default=0)))

    def prepare_metrics(self, data: Any) -> None:
        """The answers by word, and agreement with the teacher."""
        self.metrics = torch.nn.ModuleDict()
        for split in ("validation", "test"):
            self.metrics[split] = WordAnswers()
            self.metrics[f"{split}_agreement"] = MulticlassAccuracy(len(self.head.labels), average="micro")

    def ask_teacher(self, batch: Batch, needs: Needs) -> Output:
        """What the teacher says of the batch, at the student's places."""
        if "teacher_input_ids" not in batch:
            return super().ask_teacher(batch, needs)
        theirs = Batch(
            input_ids=batch["teacher_input_ids"],
            attention_mask=batch["teacher_attention_mask"],
            labels=batch["labels"],
            example_id=batch["example_id"],
        )
        logits = super().ask_teacher(theirs, needs).logits
        places = batch["teacher_places"].unsqueeze(2).expand(-1, -1, logits.shape[2])
        return Output(logits=logits.gather(1, places))

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor | None]:
        """Score a batch; what it returns is for callbacks."""
        return self._score(batch, "validation")

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor | None]:
        """Score a batch; what it returns is for callbacks."""
        return self._score(batch, "test")

    def _score(self, batch: Batch, split: str) -> dict[str, Tensor | None]:
        student = read(self.student, batch, self.loss.student_needs)
        teacher = self.read_teacher(batch, self.teacher_needs)
        losses = None
        if teacher is not None or not self.loss.teacher_needs:
            losses = self.loss.combine(self.loss.parts(student, teacher, batch))
            self.log_loss(split, losses)
        classes = student.logits.argmax(dim=-1)
        cast(WordAnswers, self.metrics[split]).update(answers_of_words(classes, batch["word_ids"], batch["example_id"]))
        if teacher is not None:
            asked = batch["labels"] != -100
            agreement = cast(MulticlassAccuracy, self.metrics[f"{split}_agreement"])
            if bool(asked.any()):
                agreement.update(classes[asked], teacher.logits.argmax(dim=-1)[asked])
            self.log(f"{split}/agreement", agreement, batch_size=len(classes), on_step=False, on_epoch=True)
        return {
            "logits": student.logits,
            "labels": batch["labels"],
            "example_id": batch["example_id"],
            "losses": losses,
        }

    def on_validation_epoch_end(self) -> None:
        """Score the epoch's sentences whole."""
        self._finish("validation")

    def on_test_epoch_end(self) -> None:
        """Score the sentences whole."""
        self._finish("test")

    def _finish(self, split: str) -> None:
        answers = cast(WordAnswers, self.metrics[split])
        found = answers.compute().cpu().numpy()
        answers.reset()
        data = self.trainer.datamodule.splits[split]  # type: ignore[attr-defined]
        rows = np.unique(found[:, 0]).tolist()
        tags = self._tags(found, data)
        expected = [list(data.tags[row]) for row in rows]
        self.scored[split] = Scored(rows, expected, [tags[row] for row in rows])
        scores = span_scores(expected, self.scored[split].predicted)
        named = {"token_accuracy": accuracy(self.scored[split])}
        for name in ("f1", "precision", "recall"):
            named |= {name: getattr(scores.micro, name), f"macro_{name}": getattr(scores.macro, name)}
        self.log_dict({f"{split}/{name}": value for name, value in named.items()})

    def _tags(self, answers: Any, split: Any) -> dict[int, list[str]]:
        """The tag of every word of the answered sentences; ``O`` where there was no answer."""
        tags = {row: ["O"] * len(split.sentences[row]) for row in np.unique(answers[:, 0]).tolist()}
        for row, word, answer in answers[answers[:, 1] >= 0].tolist():
            tags[row][word] = self.head.labels[answer]
        return tags

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Example, word and class of each word."""
        classes = read(self.student, batch).logits.argmax(dim=-1)
        return answers_of_words(classes, batch["word_ids"], batch["example_id"])

    def predictions(self, answers: list[Any], data: Any) -> dict[int, dict[str, Any]]:
        """The words and tags of each sentence, its entities, and where a text was given, their characters."""
        split = data.splits["predict"]
        tags = {row: ["O"] * len(words) for row, words in enumerate(split.sentences)}
        tags |= self._tags(torch.cat(answers).cpu().numpy(), split)
        return {row: _describe(split, row, said) for row, said in tags.items()}


def accuracy(scored: Scored) -> float:
    """The share of words with the right tag."""
    pairs = [
        pair
        for one, other in zip(scored.expected, scored.predicted, strict=True)
        for pair in zip(one, other, strict=True)
    ]
    return sum(one == other for one, other in pairs) / max(1, len(pairs))


def _describe(split: Any, row: int, tags: list[str]) -> dict[str, Any]:
    words, spans = split.sentences[row], split.spans[row]
    line: dict[str, Any] = {"text": split.texts[row]} if spans else {}
    line |= {"tokens": list(words), "tags": tags, "entities": []}
    for _, kind, start, last in sorted(find_spans([tags]), key=lambda span: span[2]):
        end = last + 1
        entity = {"type": kind, "words": list(words[start:end]), "start": start, "end": end}
        if spans:
            entity |= {"text": split.texts[row][spans[start][0] : spans[end - 1][1]]}
            entity |= {"characters": [spans[start][0], spans[end - 1][1]]}
        line["entities"].append(entity)
    return line
