from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, PreTrainedModel
from transformers.generation.logits_process import TopPLogitsWarper

from slimlit.models.architectures import STOCK
from slimlit.models.continuation import Memory, Writing, write, write_all
from slimlit.types import Batch
from tests.models.test_heads import ALL, SETTINGS

PROMPTS = [[3, 7, 9, 11, 13], [5], [20, 21, 22]]
HOW = Writing(max_new_tokens=7, stops=frozenset({2}))


def network(name: str) -> PreTrainedModel:
    kind, settings = ALL[name]
    torch.manual_seed(0)
    made: PreTrainedModel = STOCK[kind].from_config(AutoConfig.for_model(name, **SETTINGS, **settings)).eval()
    return made


@pytest.mark.parametrize("name", ["llama", "gpt2", "qwen3"])
def test_the_likeliest_words_are_those_of_transformers(name: str) -> None:
    one = network(name)
    for prompt, written in zip(PROMPTS, write_all(one, PROMPTS, HOW), strict=True):
        ids = torch.tensor([prompt])
        known = one.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=7, do_sample=False, eos_token_id=2
        )
        assert written == known[0, len(prompt) :].tolist()


@pytest.mark.parametrize("name", ["marian", "t5"])
def test_an_encoder_decoder_writes_what_transformers_makes_it_write(name: str) -> None:
    one = network(name)
    ids = torch.tensor([[3, 7, 9, 2], [5, 6, 2, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    source = Batch(input_ids=ids, attention_mask=mask, labels=ids, example_id=torch.arange(2))
    greedy = {"do_sample": False, "num_beams": 1, "use_cache": False, "eos_token_id": 2}
    one.generation_config.forced_eos_token_id = None  # Marian's, for a text that has reached its longest
    known = one.generate(ids, attention_mask=mask, max_new_tokens=7, **greedy)
    for row, written in zip(known.tolist(), write_all(one, [[0], [0]], HOW, source=source), strict=True):
        assert written == row[1 : len(written) + 1]


def test_what_is_drawn_depends_on_the_rows_own_draws_alone() -> None:
    one, how = network("llama"), Writing(7, frozenset({2}), temperature=1.5)
    draws = np.random.default_rng(0).random((3, 7))
    before = torch.get_rng_state()
    together = write_all(one, PROMPTS, how, draws)
    assert together == [write_all(one, [PROMPTS[row]], how, draws[row : row + 1])[0] for row in range(3)]
    assert together != write_all(one, PROMPTS, how, 1.0 - draws)
    assert torch.equal(before, torch.get_rng_state())


def test_words_are_drawn_as_often_as_they_are_likely() -> None:
    from slimlit.models.continuation import choose

    logits = torch.tensor([[0.0, 1.0, 2.0, -torch.inf]]).expand(4000, -1)
    drawn = choose(logits, 0.5, (torch.arange(4000).double() + 0.5) / 4000)
    shares = torch.bincount(drawn, minlength=4) / 4000
    assert torch.allclose(shares, torch.softmax(logits[0] / 0.5, dim=0), atol=1 / 4000)


def test_words_are_drawn_from_the_likeliest_that_transformers_would_draw_from() -> None:
    from slimlit.models.continuation import choose

    two = torch.randn(2, 50, generator=torch.Generator().manual_seed(0))
    expected = torch.softmax(TopPLogitsWarper(0.6)(torch.zeros(2, 1, dtype=torch.long), two / 0.8), dim=-1)
    draws = (torch.arange(20_000).double() + 0.5) / 20_000
    drawn = choose(two.repeat_interleave(20_000, dim=0), 0.8, draws.repeat(2), top_p=0.6).view(2, -1)
    for row in range(2):
        shares = torch.bincount(drawn[row], minlength=50) / 20_000
        assert torch.equal(shares > 0, expected[row] > 0)
        assert torch.allclose(shares, expected[row], atol=2 / 20_000)


def test_a_remembered_beginning_changes_nothing() -> None:
    one, memory = network("llama"), Memory()
    first = [token for (token,) in write(one, [PROMPTS[0]], HOW, memory=memory)]
    longer = [*PROMPTS[0], *first[:3], 30, 31]
    assert memory.keep(longer) == len(PROMPTS[0]) + 3
    again = [token for (token,) in write(one, [longer], HOW, memory=memory)]
    assert again == write_all(one, [longer], HOW)[0]


def test_a_text_is_over_at_a_stop_token(tmp_path: Path) -> None:
    one = network("llama")
    free = write_all(one, PROMPTS, Writing(7, frozenset()))
    stop = free[0][2]
    stopped = write_all(one, PROMPTS, Writing(7, frozenset({stop})))
    assert stopped[0] == free[0][: free[0].index(stop) + 1]
