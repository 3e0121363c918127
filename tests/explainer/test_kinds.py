"""Whatever a network answers, each answer comes with maps over the words of its text, tested against random orders."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertForTokenClassification

from slimlit.data import Dialogues, LanguageModelling, Masking
from slimlit.explain.methods.leave_one_out import LeaveOneOut
from slimlit.explain.question import Question
from slimlit.explain.records import Explanation
from slimlit.explainer import explain_run
from slimlit.explainer.asked import Wanted
from slimlit.losses import SoftTargets
from slimlit.models import Head, Pretrained
from slimlit.models.network import Network
from slimlit.models.tokenizers import load_tokenizer
from slimlit.runs import Run
from slimlit.tasks import CausalLM, MaskedLM, SequenceClassification
from slimlit.tasks.base import Task
from slimlit.text.stop_words import StopWords
from slimlit.types import Batch
from tests.tasks.doubles import toy_data
from tests.tasks.tagging import make_tagger, toy_tagging
from tests.tasks.test_token_classification import foreign
from tests.tasks.translators import translations, translator

__all__ = ["foreign"]


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
    one = explained(task, again, "input-gradient", text="the director, in quixby", word="Quixby")
    (answer,) = one.examples[0].answers
    assert answer.place == 5
    with pytest.raises(
        ValueError, match="--word 'quix' is no word that is answered here; there are: the, director, ,, in, quixby"
    ):
        explained(task, toy_tagging(toy_model, toy_sentence_files), text="the director, in quixby", word="quix")
    wrong = explained(task, data, "input-gradient", errors=True, num_examples=2)
    check(wrong)
    assert all(answer.is_wrong for example in wrong.examples for answer in example.answers)


def test_a_teacher_of_other_tokens_is_laid_beside_word_by_word(
    toy_model: Path, toy_sentence_files: Path, foreign: Path
) -> None:
    data = toy_tagging(toy_model, toy_sentence_files, teacher_tokenizer=str(foreign))
    task = make_tagger(Pretrained(str(toy_model)), Pretrained(str(foreign)), SoftTargets())
    found = explained(task, data, "leave-one-out", text="the director, in quixby", word="quixby")
    check(found)
    (example,) = found.examples
    teacher = example.answers[0].teacher
    assert teacher is not None
    ((heat,), words) = ([one.heat for one in teacher.maps], example.words)
    network, reader = BertForTokenClassification.from_pretrained(foreign).eval(), load_tokenizer(str(foreign))
    encoded = reader([word.text for word in words if not word.is_special], is_split_into_words=True)
    place = encoded.word_ids().index(4)
    ids, number = torch.tensor([encoded["input_ids"]]), data.labels.index(example.answers[0].says)
    batch = Batch(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids, example_id=torch.zeros(1).long())
    question = Question(torch.tensor([number]), torch.tensor([place]), "token_classification")
    own = LeaveOneOut(reader.mask_token_id)(network, batch, question)[0].numpy()
    expected = [own[[at for at, word in enumerate(encoded.word_ids()) if word == number]].sum() for number in range(5)]
    np.testing.assert_allclose([heat[at] for at, word in enumerate(words) if not word.is_special], expected, atol=1e-5)


def test_each_written_token_of_a_translation_is_asked(toy_translator: Path) -> None:
    task = translator(Pretrained(str(toy_translator / "trained")), num_written=0)
    found = explained(task, translations(toy_translator), text="the old dog sees")
    assert [one.method for one in found.examples[0].answers[0].maps] == ["leave-one-out"]
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


def test_errors_of_a_translator_are_the_texts_whose_references_it_knows_least(toy_translator: Path) -> None:
    task = translator(Pretrained(str(toy_translator / "trained")), num_written=0)
    data = translations(toy_translator)
    found = explained(task, data, "input-gradient", errors=True, num_examples=2)
    check(found)
    nats = [float(example.note.split("(")[1].split()[0]) for example in found.examples]
    assert nats == sorted(nats, reverse=True)
    row = int(found.examples[0].name.split()[-1])
    assert found.examples[0].note.startswith(f"expected: {data.references['test'][row][0]} (")


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
    with pytest.raises(ValueError, match="--word 'nowhere' is no word that is answered here; there are: "):
        explained(
            task, LanguageModelling(str(toy_text), str(toy_decoder), max_length=32), text="the film", word="nowhere"
        )
    words = found.examples[0].words
    text = "".join(word.text if word.is_glued else f" {word.text}" for word in words).strip()
    assert text.startswith("the film was 好")
    with pytest.raises(ValueError, match="explain texts: --text or --file"):
        explained(task, data, split="test")


@pytest.mark.parametrize("is_masked", [False, True])
def test_errors_of_a_language_model_are_the_words_it_surely_says_otherwise(
    is_masked: bool, toy_decoder: Path, toy_model: Path, toy_text: Path
) -> None:
    model = toy_model if is_masked else toy_decoder
    masking = {"masking": Masking()} if is_masked else {}
    data = LanguageModelling(
        str(toy_text), str(model), validation=str(toy_text), test=str(toy_text), max_length=16, packing=False, **masking
    )
    task = (MaskedLM if is_masked else CausalLM)(Pretrained(str(model)))
    found = explained(task, data, "input-gradient", errors=True, num_examples=2)
    check(found)
    nats = [float(example.note.split()[0]) for example in found.examples]
    assert nats == sorted(nats, reverse=True)
    assert len(nats) == 2
    answers = [(example, answer) for example in found.examples for answer in example.answers]
    assert 0 < len(answers) <= 6
    assert all(answer.is_wrong for _, answer in answers)
    for example, answer in answers:
        assert answer.place is not None
        if (
            not is_masked and answer.place < len(example.words) - 1
        ):  # it is asked where the text itself goes on otherwise
            assert answer.expected == example.words[answer.place].text


def test_a_hidden_word_is_asked_where_it_is_hidden(toy_model: Path, toy_text: Path) -> None:
    data, again = (LanguageModelling(str(toy_text), str(toy_model), masking=Masking(), max_length=32) for _ in range(2))
    task = MaskedLM(Pretrained(str(toy_model)))
    found = explained(task, data, text="the [MASK] was dull")
    check(found)
    (answer,) = found.examples[0].answers
    assert answer.place == 2
    with pytest.raises(ValueError, match=r"write \[MASK\] where one is to be found"):
        explained(task, again, text="the film was dull")
