"""Pairs of texts under the engine: what is read and what is written, of other lengths, clipped exactly as one example."""

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from slimlit.losses import HardLabels, HiddenStates, Loss, VocabularyLabels, VocabularyTargets, WeightedSum
from slimlit.models import read
from slimlit.types import Batch

from .networks import WORDS, make, make_batch, trained
from .test_engine import compare


def pairs() -> Batch:
    """Seven texts of up to seven tokens, and what is to be written of them: two to five words, ended by 1."""
    random = torch.Generator().manual_seed(3)
    batch = make_batch()
    batch["labels"] = torch.full((7, 5), -100)
    batch["decoder_input_ids"] = torch.zeros(7, 5, dtype=torch.long)
    batch["decoder_attention_mask"] = torch.zeros(7, 5, dtype=torch.long)
    for row in range(7):
        length = 2 + row % 4
        said = [*torch.randint(2, WORDS, (length - 1,), generator=random).tolist(), 1]
        batch["labels"][row, :length] = torch.tensor(said)
        batch["decoder_input_ids"][row, :length] = torch.tensor([1, *said[:-1]])
        batch["decoder_attention_mask"][row, :length] = 1
    return batch


@pytest.mark.parametrize("name", ["marian", "bart", "t5, tied", "t5, untied"])
@pytest.mark.parametrize("loss", [HardLabels(0.1), VocabularyLabels()], ids=["logits", "words"])
def test_the_clipped_sum_over_pairs_is_that_of_single_backward_passes(name: str, loss: Loss) -> None:
    network = make(name)
    assert isinstance(network, PreTrainedModel)
    compare(lambda batch: loss(read(network, batch, loss.student_needs), None, batch), trained(network), pairs())


@pytest.mark.parametrize("name", ["marian", "t5, tied"])
def test_and_so_is_that_of_distilled_words_and_decoder_states(name: str) -> None:
    student, teacher = make(name), make(name, seed=5).eval()
    assert isinstance(student, PreTrainedModel)
    assert isinstance(teacher, PreTrainedModel)
    both = WeightedSum({"soft": VocabularyTargets(2.0), "hidden": HiddenStates([(2, 1)])}, {})
    both.prepare(student, teacher)

    def losses(batch: Batch) -> Tensor:
        with torch.no_grad():
            theirs = read(teacher, batch, both.teacher_needs)
        return both(read(student, batch, both.student_needs), theirs, batch)

    compare(losses, trained(student), pairs())


def test_padding_of_either_side_changes_no_loss() -> None:
    network, batch = make("marian").eval(), pairs()
    assert isinstance(network, PreTrainedModel)
    loss = WeightedSum({"words": VocabularyLabels(), "hidden": HiddenStates([(1, 2)])}, {})
    loss.prepare(network, network)
    wide = Batch(**batch)
    for name, pad in (("input_ids", 0), ("attention_mask", 0), ("decoder_input_ids", 0), ("decoder_attention_mask", 0)):
        wide[name] = torch.nn.functional.pad(batch[name], (0, 3), value=pad)  # type: ignore[literal-required]
    wide["labels"] = torch.nn.functional.pad(batch["labels"], (0, 3), value=-100)
    found = [
        loss(read(network, one, loss.student_needs), read(network, one, loss.teacher_needs), one)
        for one in (batch, wide)
    ]
    assert torch.allclose(found[0], found[1], atol=1e-5)
