"""``read`` gives the outputs that are needed, for any architecture, and leaves the network as it was."""

import math

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, RobertaConfig, RobertaForSequenceClassification

from slimlit.models import SequenceClassifier, SequenceClassifierConfig, read
from slimlit.types import Batch

SMALL = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def make(kind: str) -> torch.nn.Module:
    torch.manual_seed(0)
    if kind == "slimlit":
        return SequenceClassifier(SequenceClassifierConfig(encoder=BertConfig(**SMALL), num_labels=2)).eval()
    if kind == "bert":
        return BertForSequenceClassification(BertConfig(**SMALL)).eval()
    return RobertaForSequenceClassification(RobertaConfig(**SMALL, pad_token_id=0)).eval()


def batch() -> Batch:
    return Batch(
        input_ids=torch.tensor([[2, 5, 6, 7, 3], [2, 8, 3, 0, 0]]),
        attention_mask=torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
        labels=torch.tensor([0, 1]),
        example_id=torch.tensor([0, 1]),
    )


@pytest.mark.parametrize("kind", ["slimlit", "bert", "roberta"])
def test_recording_attention_does_not_change_the_logits(kind: str) -> None:
    network = make(kind)
    plain = read(network, batch())
    recorded = read(
        network, batch(), frozenset({"queries.1", "keys.2", "values.2", "hidden_states.0", "hidden_states.2"})
    )
    assert torch.equal(plain.logits, recorded.logits)
    assert recorded.queries[1].shape == (2, 2, 5, 8)
    assert set(recorded.hidden_states) == {0, 2}
    assert network.config._attn_implementation == "sdpa"
    assert torch.equal(read(network, batch()).logits, plain.logits)


def test_recorded_queries_and_keys_are_those_of_the_layer() -> None:
    network = make("slimlit")
    output = read(
        network, batch(), frozenset({"queries.2", "keys.2", "values.2", "hidden_states.1", "hidden_states.2"})
    )
    layer = network.encoder.encoder.layer[1].attention.self
    by_hand = layer.query(output.hidden_states[1]).view(2, 5, 2, 8).transpose(1, 2)
    assert torch.allclose(output.queries[2], by_hand, atol=1e-6)
    scores = output.queries[2] @ output.keys[2].transpose(-1, -2) / math.sqrt(8)
    padded = batch()["attention_mask"][:, None, None, :] == 0
    weights = torch.softmax(scores.masked_fill(padded, -torch.inf), dim=-1)
    context = (weights @ output.values[2]).transpose(1, 2).reshape(2, 5, 16)
    block = network.encoder.encoder.layer[1]
    attended = block.attention.output(context, output.hidden_states[1])
    assert torch.allclose(block.output(block.intermediate(attended), attended), output.hidden_states[2], atol=1e-5)


def test_an_unknown_need_and_a_layer_too_far_are_refused() -> None:
    with pytest.raises(ValueError, match="no output is called 'attentions.1'"):
        read(make("bert"), batch(), frozenset({"attentions.1"}))
    with pytest.raises(ValueError, match="network of 2 layers; expected 1 to 2"):
        read(make("bert"), batch(), frozenset({"queries.3"}))
