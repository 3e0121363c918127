"""``LabelTarget``: the word that was to be said."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from slimlit.vocabulary.target import strips


@dataclass(frozen=True)
class LabelTarget:
    """``-sum_v q_v log softmax(z)_v`` with ``q = (1 - s) onehot(y) + s / words``; its gradient is ``softmax(z) - q``."""

    labels: Int[Tensor, "batch tokens"]
    label_smoothing: float = 0.0
    temperature: float = 1.0
    num_rooms: int = 1

    def prepare(self, num_words: int, cast: torch.dtype | None) -> "LabelTarget":
        """Nothing to make ready."""
        return self

    def losses(
        self, places: Int[Tensor, " some"], logits: Float[Tensor, "some words"], gradient: bool
    ) -> Float[Tensor, " some"]:
        """The cross-entropy of some tokens."""
        labels, found = self.labels.flatten().index_select(0, places).unsqueeze(1), []
        kept, spread = 1.0 - self.label_smoothing, self.label_smoothing / logits.shape[1]
        for rows in strips(logits):
            answer = torch.log_softmax(logits[rows], dim=-1)
            loss = -kept * answer.gather(1, labels[rows]).flatten()
            found.append(loss - spread * answer.sum(dim=-1) if spread else loss)
            if gradient:
                slope = torch.exp(answer, out=logits[rows])
                slope.scatter_add_(1, labels[rows], torch.full_like(slope[:, :1], -kept))
                if spread:
                    slope.sub_(spread)
        return torch.cat(found)
