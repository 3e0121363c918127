"""Texts that lose their hidden inputs are answered as those in which they are masked; one pass answers several questions."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    DistilBertConfig,
    DistilBertForTokenClassification,
    ElectraConfig,
    ElectraForTokenClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from slimlit.explain.exam import cases
from slimlit.explain.exam.cases import Cases, read_cases
from slimlit.explain.question import Question, answer, distinct, take
from slimlit.explain.shortening import can_shorten
from slimlit.models.network import Kind
from tests.explain.methods.networks import SMALL, a_batch, a_network, a_question


def electra() -> PreTrainedModel:
    return ElectraForTokenClassification(ElectraConfig(**SMALL, embedding_size=8, num_labels=3)).eval()


def distilbert() -> PreTrainedModel:
    sizes = {"dim": 16, "hidden_dim": 32, "n_layers": 2, "n_heads": 4, "max_position_embeddings": 32}
    return DistilBertForTokenClassification(DistilBertConfig(vocab_size=30, num_labels=3, **sizes)).eval()


def roberta() -> PreTrainedModel:
    return RobertaForSequenceClassification(RobertaConfig(**SMALL, num_labels=3)).eval()


NETWORKS: list[tuple[Kind, Any]] = [
    *((kind, lambda kind=kind: a_network(kind)) for kind in ("sequence_classification", "token_classification")),
    *((kind, lambda kind=kind: a_network(kind)) for kind in ("masked_lm", "causal_lm")),
    ("token_classification", electra),
    ("token_classification", distilbert),
    ("sequence_classification", roberta),
]  # type: ignore[misc]


@pytest.mark.parametrize(("kind", "make"), NETWORKS)
@pytest.mark.parametrize("blank", [None, 29])
def test_what_is_left_out_reads_as_what_is_masked(
    kind: Kind, make: Any, blank: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network, batch, question = make(), a_batch(kind), a_question(kind)
    assert can_shorten(network, batch)
    hidden = np.random.default_rng(0).random((40, 6)) < 0.5
    some = Cases(np.arange(40) % 2, hidden & batch["attention_mask"].bool().numpy()[np.arange(40) % 2])
    short = read_cases(network, batch, question, some, blank)
    monkeypatch.setattr(cases, "can_shorten", lambda *_: False)
    masked = read_cases(network, batch, question, some, blank)
    for measure, values in masked.items():
        np.testing.assert_allclose(short[measure], values, atol=1e-5)


def test_a_text_of_several_questions_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network, rows = a_network("token_classification"), torch.tensor([0, 0, 0, 1])
    batch = take(a_batch("token_classification"), rows)
    question = Question(torch.tensor([0, 1, 2, 0]), torch.tensor([1, 3, 4, 1]), "token_classification")
    texts, text_of = distinct(batch)
    assert (texts.tolist(), text_of.tolist()) == ([0, 3], [0, 0, 0, 1])
    together = answer(network, take(batch, texts), question, text_of)
    torch.testing.assert_close(together, answer(network, batch, question), atol=1e-5, rtol=0)
    sizes = []
    whole = network.forward
    monkeypatch.setattr(network, "forward", lambda **given: (sizes.append(len(given["input_ids"])), whole(**given))[1])
    read_cases(network, batch, question, Cases(np.arange(4), np.zeros((4, 6), dtype=bool)))
    assert sum(sizes) == 2


def test_networks_whose_attention_counts_places_are_masked() -> None:
    batch = a_batch("seq2seq_lm")
    assert not can_shorten(a_network("seq2seq_lm"), batch)
