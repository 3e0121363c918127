"""The classifier as a Hugging Face model: saved, loaded, run in a pipeline; its head linear after pooling."""

from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    pipeline,
)

from slimlit.models import SequenceClassifier, SequenceClassifierConfig

SMALL = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
ENCODERS = [
    BertConfig(**SMALL),
    ElectraConfig(**SMALL, embedding_size=8),
    DistilBertConfig(vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=32),
]


def classifier(encoder: object = ENCODERS[0], **settings: object) -> SequenceClassifier:
    torch.manual_seed(0)
    config = SequenceClassifierConfig(encoder=encoder, num_labels=3, **settings)
    model = SequenceClassifier(config).eval()
    if settings.get("pooling", "attention") == "attention":
        torch.nn.init.normal_(model.pooling.energy.weight)
    return model


def batch() -> dict[str, torch.Tensor]:
    return {
        "input_ids": torch.tensor([[2, 5, 6, 7, 3], [2, 8, 3, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
    }


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda config: config.model_type)
@pytest.mark.parametrize("pooling", ["attention", "mean", "cls"])
def test_saved_and_loaded_it_gives_the_same_logits(encoder: object, pooling: str, tmp_path: Path) -> None:
    model = classifier(encoder, pooling=pooling)
    before = model(**batch()).logits
    model.save_pretrained(tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert isinstance(loaded, SequenceClassifier)
    assert torch.equal(loaded(**batch()).logits, before)
    assert loaded.config.hidden_size == 16
    assert loaded.config.num_hidden_layers == 2


def test_more_padding_changes_nothing() -> None:
    model = classifier()
    short = model(**batch())
    longer = {name: torch.nn.functional.pad(value, (0, 4)) for name, value in batch().items()}
    long = model(**longer)
    assert torch.allclose(short.logits, long.logits, atol=1e-6)
    assert torch.count_nonzero(long.pooling_weights[1, :, 3:]) == 0


def test_the_pooling_mask_hides_tokens_from_the_pooling_only() -> None:
    model = classifier()
    mask = torch.tensor([[1, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    output = model(**batch(), pooling_mask=mask)
    assert output.pooling_weights[0, 0, 1].item() == 0.0
    changed = batch()
    changed["input_ids"][0, 1] = 9
    assert not torch.allclose(model(**changed, pooling_mask=mask).logits[0], output.logits[0])


def test_a_token_share_of_the_logit_is_exact_because_the_head_is_linear() -> None:
    model = classifier(num_pooling_heads=2)
    output = model(**batch(), output_hidden_states=True)
    hidden = output.hidden_states[-1]
    shares = torch.einsum("bhn,bnw,chw->bcn", output.pooling_weights, hidden, model.classifier.weight.view(3, 2, 16))
    assert torch.allclose(shares.sum(-1) + model.classifier.bias, output.logits, atol=1e-5)


def test_a_saved_folder_runs_in_a_pipeline(toy_model: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(toy_model)
    encoder = BertConfig.from_pretrained(toy_model)
    model = classifier(encoder)
    model.config.id2label = {0: "bad", 1: "fine", 2: "good"}
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    answer = pipeline("text-classification", model=str(tmp_path))("the film was a joy")
    assert answer[0]["label"] in {"bad", "fine", "good"}


def test_the_padding_token_is_the_encoders_to_read_and_to_write() -> None:
    config = SequenceClassifierConfig(encoder=BertConfig(pad_token_id=0))
    config.pad_token_id = 7
    assert (config.pad_token_id, config.encoder.pad_token_id) == (7, 7)
