"""The base of tasks whose answer is words: the next one, or the hidden ones; plainly or distilled from a teacher."""

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from slimlit.losses import Loss, VocabularyLabels
from slimlit.models import Network, PreTrainedModel, read
from slimlit.models.packing import check_packing
from slimlit.models.word_head import check_words
from slimlit.tasks.base import MakeOptimizer, Task
from slimlit.tasks.word_scores import WordScores
from slimlit.types import Batch, Needs


class LanguageModel(Task):
    """Says words.

    Guarantees:
        - perplexity and bits per byte are of the whole split, on all processes: sums divided once;
        - with a loss over words, neither training nor scoring holds the logits of all places, the teacher's neither;
        - an architecture whose logits are not one product, or that looks across packed documents, is refused.
    """

    monitor: ClassVar[str] = "validation/perplexity"
    mode: ClassVar[Literal["max", "min"]] = "min"

    def __init__(
        self,
        student: Network,
        teacher: Network | None,
        loss: Loss | None,
        optimizer: MakeOptimizer,
        warmup: float,
        freeze: list[str] | None,
    ) -> None:
        super().__init__(student, teacher, loss or VocabularyLabels(), optimizer, warmup, "all", freeze)

    def prepare_metrics(self, data: Any) -> None:
        """Scores of words, by split."""
        self.metrics = torch.nn.ModuleDict({"validation": WordScores(), "test": WordScores()})

    def configure_model(self) -> None:
        """Build the networks, and see that they read and say what the task takes them to."""
        if self._built:
            return
        super().configure_model()
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        for network in (self.student, self.teacher):
            if network is not None:
                self.check_network(network, data)
        self.train()

    def check_network(self, network: PreTrainedModel, data: Any) -> None:
        """The network's words are one product where the loss reads them so, and packed documents do not see each other.

        Raises:
            ValueError: they are not, or they do.
        """
        if "words" in self.loss.student_needs:
            few = torch.arange(min(8, int(network.config.vocab_size)), device=network.device)
            check_words(network, {"input_ids": few[None]})
        if data.packing:
            check_packing(network, data.max_length)

    @property
    def teacher_needs(self) -> Needs:
        """What the loss reads of the teacher; its words without their logits where the student's are."""
        return self.loss.teacher_needs | (self.loss.student_needs & {"words"})

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Score a batch."""
        self._score(batch, "validation")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Score a batch."""
        self._score(batch, "test")

    def _score(self, batch: Batch, split: str) -> None:
        student = read(self.student, batch, self.loss.student_needs)
        teacher = self.read_teacher(batch, self.teacher_needs)
        if teacher or not self.loss.teacher_needs:
            losses = self.loss.combine(self.loss.parts(student, teacher, batch))
            self.log_loss(split, losses)
        scores = self.metrics[split]
        assert isinstance(scores, WordScores)
        scores.update(student, teacher, batch["labels"], self.num_bytes(batch, split))

    def num_bytes(self, batch: Batch, split: str) -> int:
        """UTF-8 bytes of the text that a batch's labels say; 0 where that is not known."""
        rows = self.trainer.datamodule.splits[split]  # type: ignore[attr-defined]
        return int(rows.bytes_of(batch["example_id"].tolist()))

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the split."""
        self._log_scores("validation")

    def on_test_epoch_end(self) -> None:
        """Log the scores of the split."""
        self._log_scores("test")

    def _log_scores(self, split: str) -> None:
        scores = self.metrics[split]
        assert isinstance(scores, WordScores)
        self.log_dict({f"{split}/{name}": value for name, value in self.named(scores.compute()).items()})
        scores.reset()

    def named(self, scores: dict[str, Tensor]) -> dict[str, Tensor]:
        """The scores under the names they are logged by."""
        return scores
