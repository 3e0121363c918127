"""Whatever a network answers, each answer comes with maps over the words of its text, tested against random orders."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from slimlit.data import Dialogues, LanguageModelling, Masking
from slimlit.explain.records import Explanation
from slimlit.explainer import explain_run
from slimlit.explainer.asked import Wanted
from slimlit.models import Head, Pretrained
from slimlit.models.network import Network
from slimlit.runs import Run
from slimlit.tasks import CausalLM, MaskedLM, SequenceClassification
from slimlit.tasks.base import Task
from slimlit.text.stop_words import StopWords
from tests.tasks.doubles import toy_data
from tests.tasks.tagging import make_tagger, toy_tagging
from tests.tasks.translators import translations, translator


def explained(task: Task, data: Any, *names: str, **wanted: Any) -> Explanation:
    torch.manual_seed(0)
    return explain_run(Run(Path("runs/toy")), task, data, Wanted(**wanted), names, torch.device("cpu"), None)


def check(found: Explanation) -> None:
    """Every map has a finite number a word and a test; no word that comes later has any."""
    for example in found.examples:
        assert sorted(token for word in example.words for token in word.tokens) == list(
            range(sum(len(word.tokens) for word in example.words))
        )
        for answer in example.answers:
            assert answer.likely[0][1] >= answer.probability - 1e-6
            for one in answer.maps:
                assert len(one.heat) == len(example.words)
                assert np.isfinite(one.heat).all()
                assert one.tested is not None
        for part in example.attention:
            np.testing.assert_allclose(part.weights.sum(axis=-1), 1.0, atol=1e-4)
            assert part.weights.shape[2:] == (part.rows[1] - part.rows[0], part.columns[1] - part.columns[0])


def classifier(model: Path, teacher: Network | None = None) -> SequenceClassification:
    return SequenceClassification(Pretrained(str(model), pooling="attention"), teacher)


def test_the_shares_of_a_text_and_the_bias_are_its_logit(toy_model: Path, toy_files: Path) -> None:
    found = explained(classifier(toy_model), toy_data(toy_model, toy_files), text="The joyful film")
    check(found)
    (example,) = found.examples
    (answer,) = example.answers
    assert [word.text for word in example.words] == ["[CLS]", "The", "joyful", "film", "[SEP]"]
    assert [one.method for one in answer.maps] == ["input-gradient", "pooling-share", "leave-one-out"]
    assert answer.shares is not None
    assert sum(answer.shares.shares) + answer.shares.bias == pytest.approx(answer.shares.logit, abs=1e-5)
    assert sum(answer.shares.weights) == pytest.approx(1.0)
    json.dumps(found.as_json())


def test_words_hidden_from_the_pooling_in_training_are_hidden_here(
    toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text("film\n")
    data = toy_data(toy_model, toy_files, stop_words=StopWords(words=str(tmp_path / "words.txt")))
    (example,) = explained(classifier(toy_model), data, text="the joyful film").examples
    assert [example.words[place].text for place in example.hidden] == ["film"]
    assert example.answers[0].shares is not None
    assert example.answers[0].shares.weights[example.hidden[0]] == 0.0


def test_a_teacher_of_the_same_weights_agrees_fully(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    task = classifier(toy_model)
    task.student_network.build(Head(["negative", "positive"])).save_pretrained(tmp_path)
    same = Pretrained(str(tmp_path))
    twins = SequenceClassification(same, same)
    (example,) = explained(twins, toy_data(toy_model, toy_files), "input-gradient", text="the joyful film").examples
    teacher = example.answers[0].teacher
    assert teacher is not None
    assert teacher.correlations == [pytest.approx(1.0)]
    assert teacher.says == example.answers[0].says
    assert teacher.probability_of_answer == pytest.approx(example.answers[0].probability)


def test_errors_are_wrong_and_the_surest_come_first(toy_model: Path, toy_files: Path) -> None:
    data = toy_data(toy_model, toy_files)
    found = explained(classifier(toy_model), data, "input-gradient", errors=True, num_examples=3)
    check(found)
    answers = [example.answers[0] for example in found.examples]
    assert len(answers) == 3
    assert all(answer.is_wrong for answer in answers)
    assert [one.probability for one in answers] == sorted((one.probability for one in answers), reverse=True)


def test_each_entity_is_asked_at_its_first_word(toy_model: Path, toy_sentence_files: Path) -> None:
    task = make_tagger(Pretrained(str(toy_model)))
    data, again = (toy_tagging(toy_model, toy_sentence_files) for _ in range(2))
    found = explained(task, data, "input-gradient", text="the director, in quixby")
    check(found)
    assert [word.text for word in found.examples[0].words] == ["[CLS]", "the", "director", ",", "in", "quixby", "[SEP]"]
    one = explained(task, again, "input-gradient", text="the director, in quixby", word="quixby")
    (answer,) = one.examples[0].answers
    assert answer.place == 5
    wrong = explained(task, data, "input-gradient", errors=True, num_examples=2)
    check(wrong)
    assert all(answer.is_wrong for example in wrong.examples for answer in example.answers)


def test_each_written_token_of_a_translation_is_asked(toy_translator: Path) -> None:
    task = translator(Pretrained(str(toy_translator / "trained")), num_written=0)
    found = explained(task, translations(toy_translator), "input-gradient", "leave-one-out", text="the old dog sees")
    check(found)
    (example,) = found.examples
    said = [answer.says for answer in example.answers]
    assert said == ["der", "alte", "hund", "sieht"]
    for at, answer in enumerate(example.answers):
        heat = dict(zip(range(len(example.words)), answer.maps[1].heat, strict=True))
        assert max(heat, key=lambda place: heat[place]) == at  # each is a translation of the word at its place
        assert answer.place is not None
        assert not any(answer.maps[0].heat[answer.place :])  # what it says, and what comes later, it has not read
    assert example.attention[0].name == "attention"
    assert len(example.attention) == 3


def test_each_token_of_a_reply_is_asked(toy_chat_model: Path, tmp_path: Path) -> None:
    data = Dialogues("nothing.jsonl", str(toy_chat_model), max_length=64)
    task = CausalLM(Pretrained(str(toy_chat_model)), generation={"max_new_tokens": 3})
    found = explained(task, data, text="what colour is the sky?")
    check(found)
    (example,) = found.examples
    assert 0 < len(example.answers) <= 3
    assert example.sides[0][0] == "what it wrote"
    assert "".join(word.text for word in example.words if not word.is_special).count("sky") == 1


def test_a_continuation_is_asked_token_by_token(toy_decoder: Path, toy_text: Path) -> None:
    data = LanguageModelling(str(toy_text), str(toy_decoder), max_length=32)
    task = CausalLM(Pretrained(str(toy_decoder)), generation={"max_new_tokens": 4})
    found = explained(task, data, text="the film was 好")
    check(found)
    words = found.examples[0].words
    text = "".join(word.text if word.is_glued else f" {word.text}" for word in words).strip()
    assert text.startswith("the film was 好")
    with pytest.raises(ValueError, match="explain texts: --text or --file"):
        explained(task, data, split="test")


def test_a_hidden_word_is_asked_where_it_is_hidden(toy_model: Path, toy_text: Path) -> None:
    data, again = (LanguageModelling(str(toy_text), str(toy_model), masking=Masking(), max_length=32) for _ in range(2))
    task = MaskedLM(Pretrained(str(toy_model)))
    found = explained(task, data, text="the [MASK] was dull")
    check(found)
    (answer,) = found.examples[0].answers
    assert answer.place == 2
    with pytest.raises(ValueError, match=r"write \[MASK\] where one is to be found"):
        explained(task, again, text="the film was dull")
