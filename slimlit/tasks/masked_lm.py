"""Pretrain, continue or distil a model that finds hidden words: BERT, ELECTRA's generator, ModernBERT and the like."""

from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from slimlit.losses import Loss
from slimlit.models import Network, read
from slimlit.models.network import Kind
from slimlit.tasks.base import MakeOptimizer
from slimlit.tasks.language_model import LanguageModel
from slimlit.tasks.optimizers import AdamW
from slimlit.types import Batch


class MaskedLM(LanguageModel):
    """The hidden words. ``predict`` fills the mask tokens of texts.

    ``masked_accuracy`` is the share of hidden places whose word is found, ``perplexity`` the exponential of their mean
    cross-entropy in nats: of the places that the data hides together, not of one hidden at a time.

    Args:
        student: the network to train: ``Fresh`` from nothing, ``Pretrained`` to go on, ``Shrunk`` of a teacher.
        teacher: a network over the same words; without one, training is plain.
        loss: what to minimise; ``VocabularyLabels`` unless given, with a teacher for example ``VocabularyTargets``.
        optimizer: called with the parameters of student and loss.
        warmup: fraction of the steps over which the learning rate rises; then it falls linearly to zero.
        freeze: parts of the student that stay as they are, by their names in it.
    """

    kind: ClassVar[Kind] = "masked_lm"

    def __init__(
        self,
        student: Network,
        teacher: Network | None = None,
        loss: Loss | None = None,
        optimizer: MakeOptimizer = AdamW,
        warmup: float = 0.1,
        freeze: list[str] | None = None,
    ) -> None:
        super().__init__(student, teacher, loss, optimizer, warmup, freeze)

    def check_fit(self, data: Any) -> None:
        """The data hides words.

        Raises:
            ValueError: it does not.
        """
        if data.masking is None:
            raise ValueError(
                "MaskedLM finds hidden words, and the data hides none\nset data.init_args.masking: {class_path: slimlit.data.Masking}"
            )
        super().check_fit(data)

    def num_bytes(self, batch: Batch, split: str) -> int:
        """0: bits per byte are of whole texts, and a masked model says some words of each."""
        return 0

    def named(self, scores: dict[str, Tensor]) -> dict[str, Tensor]:
        """Accuracy is that of the hidden places."""
        return {{"accuracy": "masked_accuracy"}.get(name, name): value for name, value in scores.items()}

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """The likeliest word of each place that holds the mask token, and where it is."""
        mask = self.trainer.datamodule.tokenizer.mask_token_id  # type: ignore[attr-defined]
        hidden = batch["input_ids"] == mask
        output = read(self.student, batch, self.loss.student_needs & {"words"})
        logits = output.logits[hidden]
        if output.words is not None:  # those of all places have no room
            logits = replace(output.words, hidden=output.words.hidden[hidden][None]).logits()[0]
        return {
            "example_id": batch["example_id"],
            "places": hidden.nonzero(),
            "words": torch.argmax(logits, dim=-1),
        }

    def predictions(self, answers: list[Any], data: Any) -> dict[int, dict[str, Any]]:
        """Each text and the words that its mask tokens hide, in order."""
        texts = data.splits["predict"].texts
        found: dict[int, dict[str, Any]] = {}
        for answer in answers:
            rows = answer["example_id"].tolist()
            found |= {row: {"words": [], "text": texts[row]} for row in rows}
            for (place, _), word in zip(answer["places"].tolist(), answer["words"].tolist(), strict=True):
                found[rows[place]]["words"].append(data.tokenizer.convert_ids_to_tokens(word))
        return found
