"""Every kind of head on stock architectures: loaded, shrunk, fresh, and read word by word."""

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from slimlit.models import Fresh, Head, Pretrained, Shrunk, read
from slimlit.models.architectures import STOCK
from slimlit.models.network import Kind
from slimlit.models.tokenizers import load_tokenizer
from slimlit.models.word_head import check_words
from slimlit.types import Batch

SETTINGS = {"vocab_size": 50, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
LLAMA = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4}
DECODERS = {
    "llama": {**LLAMA, "num_key_value_heads": 2},
    "gpt2": {"n_embd": 16, "n_layer": 3, "n_head": 4, "n_positions": 32},
    "qwen3": {**LLAMA, "num_key_value_heads": 2, "head_dim": 4},
}
SIDES = {
    "d_model": 16, "encoder_layers": 2, "decoder_layers": 3, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "max_position_embeddings": 32, "decoder_start_token_id": 0,
}  # fmt: skip
PAIRS = {
    "marian": SIDES,
    "bart": SIDES,
    "t5": {
        "d_model": 16, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4, "d_kv": 4,
        "decoder_start_token_id": 0,
    },
}  # fmt: skip
BERT = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 32,
}
ALL: dict[str, tuple[Kind, dict[str, int]]] = {
    **{name: ("causal_lm", settings) for name, settings in DECODERS.items()},
    **{name: ("seq2seq_lm", settings) for name, settings in PAIRS.items()},
    "bert": ("masked_lm", BERT),
}


def make(name: str) -> tuple[Head, PreTrainedModel]:
    kind, settings = ALL[name]
    torch.manual_seed(0)
    return Head(kind=kind), STOCK[kind].from_config(AutoConfig.for_model(name, **SETTINGS, **settings)).eval()


def batch(kind: Kind) -> Batch:
    torch.manual_seed(1)
    ids = torch.randint(3, 50, (2, 6))
    found = Batch(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids, example_id=torch.arange(2))
    if kind == "seq2seq_lm":
        found["decoder_input_ids"] = torch.randint(3, 50, (2, 4))
        found["decoder_attention_mask"] = torch.ones(2, 4, dtype=torch.int64)
    return found


@pytest.mark.parametrize("name", ALL)
def test_words_say_the_logits_that_were_not_made(name: str) -> None:
    head, model = make(name)
    text = batch(head.kind)
    output = read(model, text, frozenset({"words"}))
    assert output.words is not None
    assert output.logits.numel() == 0
    torch.testing.assert_close(output.words.logits(), read(model, text).logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_a_shrunk_model_keeps_the_layers_it_was_asked_for(name: str, tmp_path: Path) -> None:
    head, teacher = make(name)
    two_sided = head.kind == "seq2seq_lm"
    same = Shrunk(layers=[1, 2], decoder_layers=[1, 2, 3]) if two_sided else Shrunk(layers=[1, 2, 3])
    text = batch(head.kind)
    assert torch.equal(read(same.build(head, teacher).eval(), text).logits, read(teacher, text).logits)
    narrow = Shrunk(layers=[1], decoder_layers=[1, 3] if two_sided else None, hidden_size=8, num_attention_heads=2)
    small = narrow.build(head, teacher)
    assert read(small, text).logits.shape == read(teacher, text).logits.shape
    small.save_pretrained(tmp_path)
    again = Pretrained(str(tmp_path))
    assert again.is_trained_for(head)
    assert torch.equal(read(again.build(head).eval(), text).logits, read(small.eval(), text).logits)


def test_a_decoder_layer_begins_as_the_teachers_of_that_number() -> None:
    head, teacher = make("marian")
    small = Shrunk(layers=[2], decoder_layers=[1, 3]).build(head, teacher)
    theirs, ours = teacher.state_dict(), small.state_dict()
    assert torch.equal(ours["model.encoder.layers.0.fc1.weight"], theirs["model.encoder.layers.1.fc1.weight"])
    assert torch.equal(ours["model.decoder.layers.1.fc1.weight"], theirs["model.decoder.layers.2.fc1.weight"])


def test_logits_that_are_changed_after_the_product_are_refused() -> None:
    torch.manual_seed(0)
    config = AutoConfig.for_model("granite", **SETTINGS, **LLAMA, num_key_value_heads=2, logits_scaling=8.0)
    model = AutoModelForCausalLM.from_config(config)
    with pytest.raises(ValueError, match="changes its logits after the product"):
        check_words(model, {"input_ids": torch.tensor([[3, 4]])})


def test_a_cap_on_logits_is_found_in_a_new_model_whose_logits_are_far_below_it() -> None:
    torch.manual_seed(0)
    config = AutoConfig.for_model("gemma2", **SETTINGS, **LLAMA, num_key_value_heads=2, head_dim=4)
    model = AutoModelForCausalLM.from_config(config)
    with pytest.raises(ValueError, match=r"changes its logits after the product .*\(by up to 70\)"):
        check_words(model, {"input_ids": torch.tensor([[3, 4]])})


@pytest.mark.parametrize("name", ALL)
def test_logits_that_are_one_product_are_taken(name: str) -> None:
    head, model = make(name)
    if hasattr(model, "final_logits_bias"):
        model.final_logits_bias = torch.randn(model.final_logits_bias.shape)
    text = batch(head.kind)
    inputs = {part: text[part] for part in ("input_ids", "decoder_input_ids") if part in text}  # type: ignore[literal-required]
    check_words(model, inputs)
    assert "forward" not in vars(model.get_output_embeddings())


def test_the_layers_kept_stay_of_the_kind_they_were() -> None:
    config = AutoConfig.for_model("smollm3", **SETTINGS, **{**LLAMA, "num_hidden_layers": 8}, num_key_value_heads=2)
    assert config.no_rope_layers == [1, 1, 1, 0, 1, 1, 1, 0]
    assert Shrunk(layers=[1, 4]).config(Head(kind="causal_lm"), config).no_rope_layers == [1, 0]


def test_a_t5_without_its_first_layer_keeps_what_that_knew_of_distances_for_all() -> None:
    head, teacher = make("t5")
    small = Shrunk(layers=[2], decoder_layers=[2, 3]).build(head, teacher)
    theirs, ours = teacher.state_dict(), small.state_dict()
    for side in ("encoder", "decoder"):
        name = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        assert torch.equal(ours[name], theirs[name])


def test_a_plain_encoder_gets_a_fresh_tagging_head(toy_model: Path) -> None:
    head = Head(["O", "B-X", "I-X"], "token_classification")
    network = Pretrained(str(toy_model))
    assert not network.is_trained_for(head)
    assert network.known_labels(head) is None
    model = network.build(head)
    assert model.config.id2label == {0: "O", 1: "B-X", 2: "I-X"}
    assert read(model, batch("masked_lm")).logits.shape == (2, 6, 3)


def test_a_fresh_model_takes_its_vocabulary_from_the_tokenizer(toy_model: Path) -> None:
    fresh = Fresh("llama", str(toy_model), {**LLAMA, "num_key_value_heads": 2})
    model = fresh.build(Head(kind="causal_lm"))
    assert model.config.vocab_size == len(load_tokenizer(str(toy_model)))
    assert fresh.made_of() == []


def test_a_fresh_translator_ends_with_what_ends_a_text_of_its_tokenizer(toy_model: Path) -> None:
    tokenizer = load_tokenizer(str(toy_model))
    assert tokenizer.eos_token_id is None
    assert Fresh("marian", str(toy_model)).config(Head(kind="seq2seq_lm")).eos_token_id == tokenizer.sep_token_id


def test_an_architecture_without_such_a_head_is_refused(toy_model: Path) -> None:
    with pytest.raises(ValueError, match="a bert has no Seq2SeqLM head"):
        Pretrained(str(toy_model)).config(Head(kind="seq2seq_lm"))
    with pytest.raises(ValueError, match="no architecture 'lama'"):
        Fresh("lama", str(toy_model)).config(Head(kind="causal_lm"))
    with pytest.raises(ValueError, match="a llama has no setting 'width'"):
        Fresh("llama", str(toy_model), {"width": 8}).config(Head(kind="causal_lm"))
