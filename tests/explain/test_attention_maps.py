"""Maps of every head of every layer."""

import torch

from slimlit.explain.attention_maps import attention_maps
from slimlit.models.network import Kind
from tests.explain.methods.networks import KINDS, a_batch, a_network


def test_each_kind_has_a_map_for_each_head_of_each_layer() -> None:
    shapes = {
        kind: {name: tuple(part.shape) for name, part in attention_maps(a_network(kind), a_batch(kind)).items()}
        for kind in KINDS
    }
    stack = (2, 2, 4, 6, 6)
    encoders: tuple[Kind, ...] = ("sequence_classification", "token_classification", "masked_lm")
    assert all(shapes[kind] == {"encoder": stack} for kind in encoders)
    assert shapes["causal_lm"] == {"decoder": stack}
    pair = {"encoder": (2, 2, 2, 6, 6), "decoder": (2, 2, 2, 4, 4), "cross": (2, 2, 2, 4, 6)}
    assert shapes["seq2seq_lm"] == pair


def test_rows_sum_to_one_and_what_is_padding_or_comes_later_is_exactly_zero() -> None:
    for kind in KINDS:
        for name, maps in attention_maps(a_network(kind), a_batch(kind)).items():
            real = maps[:, 1, :, :3, :]
            torch.testing.assert_close(real.sum(dim=-1), torch.ones(real.shape[:-1]))
            if name != "decoder" or kind == "causal_lm":
                assert not real[..., 3:].any()
            if name == "decoder":
                assert not torch.triu(maps, diagonal=1).any()


def test_they_are_read_in_eval_mode_and_the_mode_is_left_as_it_was() -> None:
    network, batch = a_network("masked_lm"), a_batch("masked_lm")
    expected = attention_maps(network, batch)["encoder"]
    assert torch.equal(attention_maps(network.train(), batch)["encoder"], expected)
    assert all(part.training for part in network.modules())


def test_layers_with_fewer_heads_are_filled_up_with_zeros() -> None:
    from transformers import BertConfig, BertForMaskedLM

    from tests.explain.methods.networks import SMALL

    network = BertForMaskedLM(BertConfig(**SMALL)).eval()
    attention = network.bert.encoder.layer[1].attention
    for name in ("query", "key", "value"):  # heads 2 and 3 of width 4 are cut out
        layer = getattr(attention.self, name)
        layer.weight, layer.bias = (torch.nn.Parameter(part[:8].clone()) for part in (layer.weight, layer.bias))
    attention.self.num_attention_heads, attention.self.all_head_size = 2, 8
    attention.output.dense.weight = torch.nn.Parameter(attention.output.dense.weight[:, :8].clone())
    maps = attention_maps(network, a_batch("masked_lm"))["encoder"]
    assert not maps[1, :, 2:].any()
    torch.testing.assert_close(maps[1, :, :2].sum(dim=-1), torch.ones(2, 2, 6))
