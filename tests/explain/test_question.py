"""What is asked of a network, and the same with inputs taken away."""

from pathlib import Path

import pytest
import torch

from slimlit.explain.question import Question, answer, ask, input_ids, readable, removable, score, take, without
from slimlit.models import Head, Pretrained, PreTrainedModel, read
from slimlit.models.toy import write_toy_decoder, write_toy_model, write_toy_translator
from slimlit.types import Batch


def a_batch(rows: int = 3, tokens: int = 7, **parts: torch.Tensor) -> Batch:
    ids = torch.randint(6, 30, (rows, tokens), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[0, 5:] = 0
    zeros = torch.zeros(rows, dtype=torch.int64)
    return Batch(input_ids=ids, attention_mask=mask, labels=zeros, example_id=torch.arange(rows), **parts)


@pytest.fixture
def decoder(tmp_path: Path) -> PreTrainedModel:
    write_toy_decoder(tmp_path)
    return Pretrained(str(tmp_path)).build(Head(kind="causal_lm")).eval()


@pytest.fixture
def classifier(tmp_path: Path) -> PreTrainedModel:
    write_toy_model(tmp_path)
    torch.manual_seed(0)
    return Pretrained(str(tmp_path)).build(Head(["no", "yes"])).eval()


def test_a_words_logits_are_those_of_its_place(decoder: PreTrainedModel) -> None:
    batch = a_batch()
    question = Question(torch.tensor([4, 5, 6]), torch.tensor([2, 3, 6]), "causal_lm")
    whole = read(decoder, batch).logits
    torch.testing.assert_close(answer(decoder, batch, question), whole[torch.arange(3), torch.tensor([2, 3, 6])])


def test_an_input_taken_away_is_not_read_by_a_classifier(classifier: PreTrainedModel) -> None:
    batch, hidden = a_batch(), torch.zeros(3, 7, dtype=torch.bool)
    hidden[1, 3] = True
    other = Batch(**{**batch, "input_ids": batch["input_ids"].clone()})  # type: ignore[typeddict-item]
    other["input_ids"][1, 3] = 8 if int(batch["input_ids"][1, 3]) != 8 else 9
    question = Question(torch.tensor([0, 1, 1]))
    torch.testing.assert_close(
        answer(classifier, without(batch, hidden), question), answer(classifier, without(other, hidden), question)
    )
    assert not torch.equal(answer(classifier, batch, question), answer(classifier, other, question))


def test_the_first_token_can_be_taken_from_a_decoder(decoder: PreTrainedModel) -> None:
    batch, hidden = a_batch(), torch.zeros(3, 7, dtype=torch.bool)
    hidden[:, 0] = True
    found = answer(
        decoder,
        without(batch, hidden),
        Question(torch.zeros(3, dtype=torch.int64), torch.tensor([2, 3, 6]), "causal_lm"),
    )
    assert bool(found.isfinite().all())


def test_what_a_decoder_reads_later_is_not_readable() -> None:
    batch = a_batch(decoder_input_ids=torch.ones(3, 4, dtype=torch.int64))
    question = Question(torch.zeros(3, dtype=torch.int64), torch.tensor([0, 1, 3]), "seq2seq_lm")
    found = readable(batch, question)
    assert found[:, 7:].tolist() == [[True, False, False, False], [True, True, False, False], [True] * 4]
    assert found[0, :7].tolist() == [True] * 5 + [False] * 2
    assert input_ids(batch).shape == (3, 11)


def test_inputs_are_taken_from_an_encoder_and_its_decoder(tmp_path: Path) -> None:
    write_toy_translator(tmp_path)
    network = Pretrained(str(tmp_path)).build(Head(kind="seq2seq_lm")).eval()
    batch = a_batch(decoder_input_ids=torch.tensor([[0, 7, 8], [0, 9, 9], [0, 6, 5]]))
    batch["input_ids"] %= int(network.config.vocab_size)
    question = Question(torch.tensor([4, 5, 6]), torch.tensor([2, 2, 2]), "seq2seq_lm")
    whole = answer(network, batch, question)
    for place in (1, 8):  # one of the text, one of the decoder
        hidden = torch.zeros(3, 10, dtype=torch.bool)
        hidden[:, place] = True
        assert not torch.allclose(answer(network, without(batch, hidden), question), whole)


def test_special_tokens_are_not_removable() -> None:
    batch = a_batch()
    batch["input_ids"][:, 0] = 2
    found = removable(batch, Question(torch.zeros(3, dtype=torch.int64)), frozenset({2}))
    assert not found[:, 0].any()
    assert found[1, 1:].all()


def test_measures_of_an_answer() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0], [0.0, 0.0, 1.0]])
    question = Question(torch.tensor([1, 0]))
    assert score(logits, question).tolist() == [3.0, 0.0]
    assert score(logits, question, "margin").tolist() == [1.0, -1.0]
    torch.testing.assert_close(score(logits, question, "probability"), logits.softmax(1)[[0, 1], [1, 0]])


def test_rows_can_be_asked_several_things() -> None:
    rows = torch.tensor([1, 1, 0])
    batch = take(a_batch(), rows)
    assert batch["example_id"].tolist() == [1, 1, 0]
    assert ask(Question(torch.tensor([5, 6])), rows).classes.tolist() == [6, 6, 5]


def test_a_question_to_a_place_needs_one() -> None:
    with pytest.raises(ValueError, match="expected places"):
        Question(torch.tensor([1]), None, "causal_lm")
