"""A narrow word table loses only the directions it leaves out, and what carries it is stock."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForTokenClassification, ElectraConfig

from slimlit.compress import Plan, prune
from slimlit.compress.low_rank import lower_rank
from slimlit.models import SequenceClassifier, SequenceClassifierConfig
from slimlit.models.pretrained import quiet_files
from tests.compress.networks import make, run


def of_rank(network: object, rank: int) -> None:
    basis = torch.randn(rank, 16)
    for table in ("word", "position", "token_type"):
        weight = network.get_parameter(f"embeddings.{table}_embeddings.weight").data  # type: ignore[attr-defined]
        weight.copy_(torch.randn(len(weight), rank) @ basis)


@pytest.mark.parametrize("name", ["bert", "classifier"])
def test_a_bert_becomes_an_electra_that_says_the_same_where_the_rank_suffices(name: str, tmp_path: Path) -> None:
    network = make(name)
    of_rank(network.base_model, 5)
    small = lower_rank(network, 6)
    torch.testing.assert_close(run(small), run(network), atol=2e-5, rtol=0)
    assert small.get_input_embeddings().weight.shape == (40, 6)
    with quiet_files():
        small.save_pretrained(tmp_path)
        loaded = (
            (AutoModelForTokenClassification if name == "bert" else SequenceClassifier).from_pretrained(tmp_path).eval()
        )
    torch.testing.assert_close(run(loaded), run(small), atol=1e-6, rtol=0)


def test_an_electra_loses_nothing_at_its_own_width() -> None:
    torch.manual_seed(0)
    config = ElectraConfig(
        vocab_size=40,
        embedding_size=8,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=12,
    )
    network = SequenceClassifier(SequenceClassifierConfig(encoder=config, num_labels=3)).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    torch.testing.assert_close(run(lower_rank(network, 8)), run(network), atol=2e-5, rtol=0)


def test_the_wider_the_nearer() -> None:
    network = make("classifier")
    apart = [float((run(lower_rank(network, size)) - run(network)).norm()) for size in (3, 8, 15)]
    assert apart[2] < apart[0]


def test_it_goes_with_all_else_that_a_plan_takes_away() -> None:
    network = make("classifier")
    small = prune(
        network, Plan(heads={"layers.1.self": [1, 2], "layers.2.self": [0, 3]}, words=list(range(12)), embedding_size=6)
    )
    assert (small.config.encoder.model_type, small.config.encoder.embedding_size, small.config.vocab_size) == (
        "electra",
        6,
        12,
    )
    assert torch.isfinite(run(small)).all()


@pytest.mark.parametrize(("name", "size", "message"), [("classifier", 16, "expected 2 to 15"), ("llama", 8, "word table as wide as itself"), ("masked-bert", 8, "word table as wide")])  # fmt: skip
def test_what_cannot_be_narrower_is_told(name: str, size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lower_rank(make(name), size)
