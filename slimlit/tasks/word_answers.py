"""``WordAnswers``: what was said of each word of an epoch, by example and word, over all processes."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class WordAnswers(Metric):
    """Collects the class said of each word; ``compute`` gives ``(words, 3)``: example, word, class, in order.

    Of each example there is a row with word -1 too, so that one without a word the network saw is still an example.

    Guarantees:
        - each word once, whatever process answered it and however often its example was dealt.
    """

    full_state_update = False
    answers: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("answers", default=[], dist_reduce_fx="cat")

    def update(self, answers: Int[Tensor, "words 3"]) -> None:
        """Add the answers of a batch."""
        self.answers.append(answers)

    def compute(self) -> Int[Tensor, "words 3"]:
        """All of them."""
        found: Tensor = torch.unique(dim_zero_cat(self.answers), dim=0)
        return found


def first_of_words(word_ids: Int[Tensor, "batch tokens"]) -> Bool[Tensor, "batch tokens"]:
    """Where a word begins."""
    before = torch.nn.functional.pad(word_ids[:, :-1], (1, 0), value=-1)
    return (word_ids >= 0) & (word_ids != before)


def answers_of_words(
    classes: Int[Tensor, "batch tokens"], word_ids: Int[Tensor, "batch tokens"], example_id: Int[Tensor, " batch"]
) -> Int[Tensor, "words 3"]:
    """Example, word and class of the first sub-word of each word; and of each example word -1, which is none."""
    rows, places = first_of_words(word_ids).nonzero(as_tuple=True)
    said = torch.stack([example_id[rows], word_ids[rows, places], classes[rows, places]], dim=1)
    none = torch.stack([example_id, torch.full_like(example_id, -1), torch.zeros_like(example_id)], dim=1)
    return torch.cat([none, said])
