"""``generate`` writes what the network means, whatever the batch around it."""

from typing import Any

import pytest
import torch
from transformers import GenerationConfig, PreTrainedModel

from slimlit.models.generation import check_generation, generate, padded_on_the_left
from slimlit.types import Batch
from tests.privacy.networks import WORDS, make, make_batch, pick

END = 60
NETWORKS = ["marian", "bart", "t5, tied", "gpt2, tied", "llama"]


def network_of(name: str) -> PreTrainedModel:
    network = make(name)
    assert isinstance(network, PreTrainedModel)
    network.config.eos_token_id = network.generation_config.eos_token_id = END
    network.config.pad_token_id = network.generation_config.pad_token_id = 0
    return network


def greedily(network: PreTrainedModel, batch: Batch, row: int, count: int) -> list[int]:
    """By whole forward passes over one unpadded text, without any cache."""
    length = int(batch["attention_mask"][row].sum())
    text = batch["input_ids"][row : row + 1, :length]
    two_sides = network.config.is_encoder_decoder
    written = torch.full((1, 1), network.config.decoder_start_token_id) if two_sides else text
    found: list[int] = []
    network.eval()
    with torch.no_grad():
        while len(found) < count:
            answer = network(input_ids=text, decoder_input_ids=written) if two_sides else network(input_ids=written)
            word = int(answer.logits[0, -1].argmax())
            if word == END:
                break
            found.append(word)
            written = torch.cat([written, torch.tensor([[word]])], dim=1)
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_greedy_words_are_those_of_whole_forward_passes_whatever_the_padding(name: str) -> None:
    network, batch = network_of(name), make_batch()
    found = generate(network, batch, {"max_new_tokens": 6})
    for row in range(7):
        wanted = greedily(network, batch, row, 6)
        assert found[row][: len(wanted)] == wanted
        assert not any(found[row][len(wanted) :])  # padding that a network says is a word


def test_beams_as_many_as_words_find_the_likeliest_pair_of_all() -> None:
    network, batch = network_of("marian").eval(), make_batch()
    exhaustive = {"num_beams": WORDS, "max_new_tokens": 2, "length_penalty": 0.0, "early_stopping": "never"}
    found = generate(network, batch, exhaustive)
    pairs = torch.tensor([[1, word] for word in range(WORDS)])
    for row in range(7):
        text = pick(batch, slice(row, row + 1))
        inputs = {"input_ids": text["input_ids"], "attention_mask": text["attention_mask"]}
        inputs = {name: value.expand(WORDS, -1) for name, value in inputs.items()}
        with torch.no_grad():
            scores = network(**inputs, decoder_input_ids=pairs).logits.log_softmax(-1)
        both = scores[0, 0][:, None] + scores[:, 1]  # of the first word and the second
        both[END] = -torch.inf
        best = int(both.argmax())
        wanted = [best // WORDS, best % WORDS]
        if float(scores[0, 0, END]) > float(both.max()):
            wanted = []
        assert found[row] == [word for word in wanted if word != END]


def test_what_is_drawn_is_the_same_again_and_leaves_the_random_state_alone() -> None:
    network, batch = network_of("llama"), make_batch()
    settings = {"do_sample": True, "max_new_tokens": 8, "top_p": 0.9}
    state = torch.get_rng_state()
    first = generate(network, batch, settings)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(5)
    assert generate(network, batch, settings) == first
    assert generate(network, batch, settings, seed=1) != first


def test_only_special_tokens_of_the_networks_own_settings_count() -> None:
    network, batch = network_of("bart"), make_batch()
    wanted = generate(network, batch, {"max_new_tokens": 6})
    own = network.generation_config = GenerationConfig(
        num_beams=3,
        min_new_tokens=5,
        no_repeat_ngram_size=2,
        eos_token_id=END,
        pad_token_id=0,
        decoder_start_token_id=1,
    )
    assert generate(network, batch, {"max_new_tokens": 6}) == wanted
    assert network.generation_config is own


def test_words_that_a_network_favours_by_number_are_favoured() -> None:
    network, batch = network_of("llama"), make_batch()
    network.generation_config.sequence_bias = [[[7], 100.0]]
    assert generate(network, batch, {"max_new_tokens": 2}) == [[7, 7]] * 7


def test_the_network_is_left_in_the_mode_it_was_in() -> None:
    network = network_of("marian").train()
    network.get_encoder().eval()
    before = [module.training for module in network.modules()]
    generate(network, make_batch(), {"max_new_tokens": 2})
    assert [module.training for module in network.modules()] == before


def test_several_answers_of_one_text_stand_side_by_side() -> None:
    network, batch = network_of("marian"), make_batch(3)
    settings = {"num_beams": 4, "max_new_tokens": 4}
    several = generate(network, batch, {**settings, "num_return_sequences": 2})
    assert len(several) == 6
    assert several[::2] == generate(network, batch, settings)


def test_padding_moves_to_the_left() -> None:
    ids, mask = padded_on_the_left(torch.tensor([[5, 6, 0], [7, 8, 9]]), torch.tensor([[1, 1, 0], [1, 1, 1]]), 4)
    assert ids.tolist() == [[4, 5, 6], [7, 8, 9]]
    assert mask.tolist() == [[0, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_beam": 4}, "did you mean 'num_beams'"),
        ({"temperature": 0.7}, "temperature"),
        ({"max_new_tokens": 64}, "at most 39"),
        ({"max_new_tokens": 0}, "greater than 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_generation(network_of("marian").config, settings)


def test_texts_that_leave_no_room_to_write_are_told_with_what_to_do() -> None:
    config = network_of("gpt2, tied").config
    positions = config.max_position_embeddings
    with pytest.raises(
        ValueError, match=rf"positions for 3 more\nset it to at most 3, or read less .*max_length {positions - 8}$"
    ):
        check_generation(config, {"max_new_tokens": 8}, positions - 3)
    with pytest.raises(
        ValueError, match=rf"positions for 0 more\nread less of each text: .*max_length {positions - 8}$"
    ):
        check_generation(config, {"max_new_tokens": 8}, positions)
