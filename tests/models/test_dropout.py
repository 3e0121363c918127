import pytest
import torch
from torch import nn

from slimlit.models import Head, Pretrained, PreTrainedModel, read
from slimlit.models.attention import quicken_dropout
from slimlit.models.dropout import QuickDropout, dropout_mask
from slimlit.types import Batch


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_a_mask_zeroes_its_share_and_keeps_the_mean(p: float, dtype: torch.dtype) -> None:
    mask = dropout_mask(torch.empty(401, 503, dtype=dtype), p).double()
    zeros = (mask == 0).double().mean().item()
    assert abs(zeros - p) < 5 * (p * (1 - p) / mask.numel()) ** 0.5 + 1e-5
    assert mask.max().item() == pytest.approx(1 / (1 - p), rel=2**-8 if dtype == torch.bfloat16 else 1e-4)
    assert mask.unique().numel() == (1 if p == 0 else 2)


def test_neighbours_in_a_mask_and_masks_in_turn_are_independent() -> None:
    first, second = (dropout_mask(torch.empty(1000, 1000), 0.5) > 0 for _ in range(2))
    for one, other in ((first[:, 1:], first[:, :-1]), (first[1:], first[:-1]), (first, second)):
        assert abs((one == other).double().mean().item() - 0.5) < 0.003


def test_the_masks_follow_torchs_seed() -> None:
    def draw(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return dropout_mask(torch.empty(7, 9), 0.5)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_gradients_pass_where_numbers_passed() -> None:
    numbers = torch.randn(50, 40, requires_grad=True)
    out = QuickDropout(0.25)(numbers)
    out.sum().backward()
    assert numbers.grad is not None
    torch.testing.assert_close(numbers.grad * numbers, out)


def test_nothing_is_dropped_in_eval_mode() -> None:
    numbers = torch.randn(5, 4)
    assert QuickDropout(0.5).eval()(numbers) is numbers


def network(source: str, dropout: float) -> PreTrainedModel:
    made = Pretrained(source, pooling="mean").build(Head(["a", "b"]))
    for module in made.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout
        elif hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = dropout
    return made


def batch() -> Batch:
    ids = torch.randint(5, 20, (6, 9))
    mask = (torch.arange(9) < torch.tensor([9, 8, 5, 3, 9, 2])[:, None]).long()
    return Batch(input_ids=ids, attention_mask=mask, labels=torch.zeros(6).long(), example_id=torch.arange(6))


def test_a_quick_network_says_the_same_but_for_its_masks(toy_model: str) -> None:
    texts = batch()
    plain = network(str(toy_model), 1e-9).train()
    quick = network(str(toy_model), 1e-9).train()  # all but no dropout: the quick path, with masks of ones
    quick.load_state_dict(plain.state_dict())
    quicken_dropout(quick)
    assert any(isinstance(module, QuickDropout) for module in quick.modules())
    assert not any(type(module) is nn.Dropout for module in quick.modules())
    torch.testing.assert_close(read(quick, texts).logits, read(plain, texts).logits)


def test_dropped_attention_has_the_mean_of_whole_attention(toy_model: str) -> None:
    from slimlit.models.attention import _attend

    module = nn.Module()
    module.is_causal = False
    query, key, value = torch.randn(3, 2, 3, 5, 8)
    mask = (torch.arange(5) < torch.tensor([5, 3])[:, None])[:, None, None, :].expand(2, 1, 5, 5)
    whole = _attend(module, query, key, value, mask)[0]
    dropped = torch.stack([_attend(module, query, key, value, mask, dropout=0.3)[0] for _ in range(4000)])
    assert (dropped.std(dim=0) > 0.01).any()
    torch.testing.assert_close(dropped.mean(dim=0), whole, atol=0.06, rtol=0)
