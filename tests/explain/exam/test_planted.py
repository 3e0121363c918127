"""Planted texts, copies that learn them, and maps held to the truth."""

from pathlib import Path

import numpy as np
import pytest
import torch

from slimlit.explain.exam.planted_truth import chance_of, find_truth, teach
from slimlit.explain.exam.planting import Field, make_field, plant
from slimlit.explain.method import Method
from slimlit.explain.methods import METHODS
from slimlit.explain.question import Question, answer, readable, removable, score, without
from slimlit.models import Head, Pretrained, PreTrainedModel
from slimlit.models.network import Kind
from slimlit.models.toy import write_toy_decoder, write_toy_model, write_toy_translator
from slimlit.types import Batch

SPECIAL = frozenset({0, 2, 3})


def texts(kind: Kind = "sequence_classification", rows: int = 6, tokens: int = 24) -> tuple[Batch, Question]:
    """[CLS] words [SEP], of several lengths; asked at the fifth token where places are asked."""
    ids = torch.randint(4, 24, (rows, tokens), generator=torch.Generator().manual_seed(0))
    lengths = torch.arange(tokens - rows, tokens) + 1
    mask = (torch.arange(tokens) < lengths.unsqueeze(1)).long()
    ids[:, 0] = 2
    ids[torch.arange(rows), lengths - 1] = 3
    ids = ids * mask
    zeros = torch.zeros(rows, dtype=torch.int64)
    batch = Batch(input_ids=ids, attention_mask=mask, labels=zeros, example_id=torch.arange(rows))
    if kind == "seq2seq_lm":
        batch["decoder_input_ids"] = torch.randint(4, 24, (rows, 5))
    places = None if kind == "sequence_classification" else torch.full((rows,), 15 if kind == "causal_lm" else 4)
    return batch, Question(zeros, places, kind)


def field_of(kind: Kind = "sequence_classification", num_words: int = 8) -> Field:
    batch, question = texts(kind)
    return make_field(batch, question, removable(batch, question, SPECIAL), np.random.default_rng(0), num_words)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    folder = tmp_path_factory.mktemp("planted")
    write_toy_model(folder)
    torch.manual_seed(0)
    return Pretrained(str(folder), pooling="attention").build(Head(["no", "yes"])).eval()


KINDS: list[Kind] = ["sequence_classification", "token_classification", "causal_lm", "seq2seq_lm"]


@pytest.mark.parametrize("kind", KINDS)
def test_one_word_decides_a_planted_text(kind: Kind) -> None:
    field = field_of(kind)
    planted = plant(field, "one word", 40, np.random.default_rng(1))
    ids, num_tokens = planted.batch["input_ids"], planted.batch["input_ids"].shape[1]
    for row, target in enumerate(planted.targets.tolist()):
        found = [word for word in ids[row].tolist() if word in field.deciding]
        if target == [0.5, 0.5]:
            assert found == []
            assert not planted.truth[row].any()
        else:
            assert found == [field.deciding[target.index(1)]]
            assert ids[row][planted.truth[row][:num_tokens]].tolist() == found
            assert planted.question.classes[row] == field.answers[target.index(1)]
    assert 0.1 < float((planted.targets[:, 0] == 0.5).float().mean()) < 0.45
    assert bool((planted.truth <= planted.removable).all())
    assert bool((planted.removable <= readable(planted.batch, planted.question)).all())


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_two_words_decides_a_planted_text_and_one_alone_does_not(kind: Kind) -> None:
    field = field_of(kind)
    planted = plant(field, "order of two words", 40, np.random.default_rng(1))
    for row, target in enumerate(planted.targets.tolist()):
        found = [word for word in planted.batch["input_ids"][row].tolist() if word in field.deciding]
        if target == [0.5, 0.5]:
            assert len(found) == 1
        else:
            assert found == list(field.deciding[:: 1 if target[0] == 1 else -1])
        assert int(planted.truth[row].sum()) == (0 if target == [0.5, 0.5] else 2)


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_and_the_asked_place_stay_in_a_short_text(kind: Kind) -> None:
    batch, question = texts(kind)
    field = field_of(kind)
    ids, real = field.batch["input_ids"], field.batch["attention_mask"].sum(1)
    assert bool((ids[:, 0] == 2).all())
    if kind != "causal_lm":  # which reads nothing after its place
        assert ids[torch.arange(len(ids)), real - 1].tolist() == [3] * len(ids)
    if kind in ("token_classification", "causal_lm"):
        assert question.places is not None
        assert field.question.places is not None
        rows = torch.arange(len(ids))
        assert torch.equal(ids[rows, field.question.places], batch["input_ids"][rows, question.places])
    else:
        assert real.tolist() == [10] * len(ids)
    if kind == "causal_lm":
        assert torch.equal(field.question.places, real - 1)  # type: ignore[arg-type]


def test_texts_of_too_few_words_are_refused() -> None:
    batch, question = texts(tokens=8)
    may_go = removable(batch, question, SPECIAL)
    may_go[:, 4:] = False
    with pytest.raises(ValueError, match="0 texts of four words"):
        make_field(batch, question, may_go, np.random.default_rng(0))


def test_a_copy_learns_what_is_planted_and_needs_it(classifier: PreTrainedModel) -> None:
    before = {name: weight.clone() for name, weight in classifier.state_dict().items()}
    field = field_of()
    lesson = teach(classifier, field, "one word")
    assert lesson.is_learned
    assert lesson.accuracy >= 0.95
    planted = plant(field, "one word", 64, np.random.default_rng(3), decided=True)
    with torch.no_grad():
        without_truth = without(planted.batch, planted.truth)
        left = score(answer(lesson.network, without_truth, planted.question), planted.question, "probability")
    assert abs(float(left.mean()) - 0.5) < 0.15  # neither answer is what it says by default
    assert all(torch.equal(weight, before[name]) for name, weight in classifier.state_dict().items())
    assert not classifier.training

    methods: dict[str, Method] = {name: METHODS[name] for name in ("leave-one-out", "random")}
    found = find_truth(lesson.network, planted, methods)
    assert found["leave-one-out"].mean() > 0.95
    assert chance_of(planted) == pytest.approx(1 / 8)
    assert found["random"].mean() < 0.3


@pytest.mark.parametrize("kind", ["token_classification", "causal_lm", "seq2seq_lm"])
def test_taggers_decoders_and_translators_can_be_taught(kind: Kind, tmp_path: Path) -> None:
    write = {
        "token_classification": write_toy_model,
        "causal_lm": write_toy_decoder,
        "seq2seq_lm": write_toy_translator,
    }
    write[kind](tmp_path)
    network = (
        Pretrained(str(tmp_path)).build(Head(["no", "yes"] if kind == "token_classification" else [], kind)).eval()
    )
    lesson = teach(network, field_of(kind), "one word", max_steps=2)
    assert 0 <= lesson.accuracy < 0.95
    assert not lesson.is_learned
    assert lesson.num_steps == 2


def test_the_same_seed_teaches_the_same_copy(classifier: PreTrainedModel) -> None:
    one, other = (teach(classifier, field_of(), "one word", max_steps=3, seed=1).network for _ in range(2))
    for weight, same in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(weight, same)
