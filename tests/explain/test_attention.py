"""Attention probabilities are the softmax of the scaled products over real tokens."""

import math

import torch

from slimlit.explain.attention import attention_probabilities


def test_they_are_the_formula_written_by_hand() -> None:
    torch.manual_seed(0)
    queries, keys = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    found = attention_probabilities(queries, keys, mask)
    for b, length in ((0, 4), (1, 2)):
        for h in range(3):
            for i in range(4):
                query, seen = queries[b, h, i].double(), keys[b, h, :length].double()
                scores = [float(query @ key) / math.sqrt(5) for key in seen]
                total = sum(math.exp(score) for score in scores)
                for j in range(4):
                    expected = math.exp(scores[j]) / total if j < length else 0.0
                    assert abs(float(found[b, h, i, j]) - expected) < 1e-6


def test_they_are_what_the_network_itself_attends_with() -> None:
    from transformers import BertConfig, BertModel

    from slimlit.models.attention import recorded_attention

    torch.manual_seed(0)
    small = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    network = BertModel(BertConfig(**small, intermediate_size=32, attn_implementation="eager")).eval()
    ids, mask = torch.randint(30, (2, 6)), torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])
    with torch.no_grad():
        truth = network(input_ids=ids, attention_mask=mask, output_attentions=True).attentions
        with recorded_attention(network) as record:
            network(input_ids=ids, attention_mask=mask)
    for layer in (1, 2):
        found = attention_probabilities(*record[layer][:2], mask)
        assert torch.allclose(found, truth[layer - 1], atol=1e-6)
