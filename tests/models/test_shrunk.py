"""A student made of a teacher starts as the teacher where shapes allow."""

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertForSequenceClassification

from slimlit.models import Head, Pretrained, SequenceClassifier, SequenceClassifierConfig, Shrunk

CONFIG = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32)
LABELS = ["bad", "good"]


def teacher(pooling: str = "mean") -> SequenceClassifier:
    torch.manual_seed(0)
    return SequenceClassifier(SequenceClassifierConfig(encoder=CONFIG, pooling=pooling, num_labels=2)).eval()


def test_chosen_layers_are_the_teachers() -> None:
    big = teacher()
    small = Shrunk(layers=[2, 4]).build(Head(LABELS), big)
    assert small.config.num_hidden_layers == 2
    for mine, theirs in ((0, 1), (1, 3)):
        ours, origin = small.encoder.encoder.layer[mine].state_dict(), big.encoder.encoder.layer[theirs].state_dict()
        assert all(torch.equal(ours[name], origin[name]) for name in origin)
    assert torch.equal(small.get_input_embeddings().weight, big.get_input_embeddings().weight)


def test_with_every_layer_and_the_same_pooling_the_student_is_the_teacher() -> None:
    big = teacher("mean")
    small = Shrunk(layers=[1, 2, 3, 4], pooling="mean").build(Head(LABELS), big).eval()
    ids = torch.tensor([[2, 5, 6, 3]])
    assert torch.equal(small(input_ids=ids).logits, big(input_ids=ids).logits)


def test_the_student_shares_no_memory_with_the_teacher() -> None:
    big = teacher()
    small = Shrunk(layers=[1]).build(Head(LABELS), big)
    before = big.get_input_embeddings().weight.clone()
    torch.nn.init.zeros_(small.get_input_embeddings().weight)
    assert torch.equal(big.get_input_embeddings().weight, before)


def test_a_narrower_feed_forward_keeps_the_attention_weights() -> None:
    big = teacher()
    small = Shrunk(layers=[1], intermediate_size=8).build(Head(LABELS), big)
    ours, theirs = small.encoder.encoder.layer[0], big.encoder.encoder.layer[0]
    assert torch.equal(ours.attention.self.query.weight, theirs.attention.self.query.weight)
    assert ours.intermediate.dense.weight.shape == (8, 16)


def test_a_narrower_student_scales_heads_and_feed_forward() -> None:
    config = Shrunk(layers=[1, 2], hidden_size=8).config(Head(LABELS), teacher().config)
    assert (config.hidden_size, config.num_attention_heads, config.encoder.intermediate_size) == (8, 1, 16)


def test_distilbert_layers_can_be_chosen_too() -> None:
    big = DistilBertForSequenceClassification(
        DistilBertConfig(vocab_size=50, dim=16, n_layers=3, n_heads=2, hidden_dim=32)
    )
    small = Shrunk(layers=[1, 3]).build(Head(LABELS), big)
    assert torch.equal(
        small.encoder.transformer.layer[1].ffn.lin1.weight, big.distilbert.transformer.layer[2].ffn.lin1.weight
    )


def test_layers_the_teacher_lacks_and_a_missing_teacher_are_refused() -> None:
    with pytest.raises(ValueError, match=r"layers \[1, 5\] asked of a teacher of 4 layers"):
        Shrunk(layers=[1, 5]).config(Head(LABELS), teacher().config)
    with pytest.raises(ValueError, match="give the task a teacher"):
        Shrunk(layers=[1]).config(Head(LABELS))


def test_a_plain_encoder_folder_gets_a_fresh_head_and_a_classifier_keeps_its_own(tmp_path: Path) -> None:
    torch.manual_seed(0)
    BertModel(CONFIG).save_pretrained(tmp_path / "encoder")
    fresh = Pretrained(str(tmp_path / "encoder"))
    assert fresh.known_labels(Head(LABELS)) is None
    model = fresh.build(Head(LABELS)).eval()
    assert model.config.id2label == {0: "bad", 1: "good"}
    model.save_pretrained(tmp_path / "classifier")
    kept = Pretrained(str(tmp_path / "classifier"))
    assert kept.known_labels(Head(LABELS)) == LABELS
    ids = torch.tensor([[2, 5, 6, 3]])
    assert torch.equal(kept.build(Head(LABELS)).eval()(input_ids=ids).logits, model(input_ids=ids).logits)


def test_a_folder_that_lacks_weights_is_refused_and_not_filled_with_noise(tmp_path: Path) -> None:
    BertModel(CONFIG).save_pretrained(tmp_path)
    deeper = BertConfig.from_pretrained(tmp_path, num_hidden_layers=5)
    deeper.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="lack 16 of BertModel's: encoder.layer.4"):
        Pretrained(str(tmp_path), pooling="mean").build(Head(LABELS))


def test_a_student_of_a_model_saved_in_half_precision_is_made_in_float32(tmp_path: Path) -> None:
    big = BertModel(CONFIG, add_pooling_layer=False).half()
    big.save_pretrained(tmp_path)
    small = Shrunk(layers=[2], of=str(tmp_path)).build(Head(LABELS))
    assert {weight.dtype for weight in small.parameters()} == {torch.float32}
    small.save_pretrained(tmp_path / "student")
    assert {weight.dtype for weight in Pretrained(str(tmp_path / "student")).build(Head(LABELS)).parameters()} == {
        torch.float32
    }
