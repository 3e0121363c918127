"""The losses over words beside those that are given the logits, in YAML, and what they refuse."""

import jsonargparse
import pytest
import torch

from slimlit.losses import (
    HardLabels,
    Loss,
    SoftTargets,
    TopTargets,
    VocabularyLabels,
    VocabularyTargets,
    WeightedSum,
)
from slimlit.types import Batch, Output, WordHead

WORDS = 29


def make_output(seed: int, width: int, words: int = WORDS) -> Output:
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=random)

    head = WordHead(draw(4, 5, width), draw(words, width), draw(words))
    return Output(logits=head.logits()[..., :0], words=head)


def whole(output: Output) -> Output:
    assert output.words is not None
    return Output(logits=output.words.logits())


@pytest.fixture
def batch() -> Batch:
    labels = torch.randint(0, WORDS, (4, 5), generator=torch.Generator().manual_seed(3))
    labels[0, 2:] = labels[1] = labels[3, ::2] = -100
    ids = torch.ones(4, 5, dtype=torch.long)
    return Batch(input_ids=ids, attention_mask=ids, labels=labels, example_id=torch.arange(4))


def test_vocabulary_labels_are_hard_labels_without_the_logits(batch: Batch) -> None:
    student = make_output(1, 6)
    for smoothing in (0.0, 0.2):
        found = VocabularyLabels(smoothing)(student, None, batch)
        torch.testing.assert_close(found, HardLabels(smoothing)(whole(student), None, batch), rtol=1e-5, atol=1e-6)


def test_vocabulary_targets_are_soft_targets_without_the_logits(batch: Batch) -> None:
    student, teacher = make_output(1, 6), make_output(2, 10)
    wanted = SoftTargets(2.0)(whole(student), whole(teacher), batch)
    torch.testing.assert_close(VocabularyTargets(2.0)(student, teacher, batch), wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(TopTargets(WORDS, 2.0)(student, teacher, batch), wanted, rtol=1e-5, atol=1e-6)
    assert (TopTargets(3, 2.0)(student, teacher, batch) <= wanted * (1 + 1e-5)).all()


def test_a_share_of_labels_is_the_weighted_sum_of_both_losses(batch: Batch) -> None:
    student, teacher = make_output(1, 6), make_output(2, 10)
    both = WeightedSum(
        {"targets": VocabularyTargets(2.0), "labels": VocabularyLabels()}, {"targets": 0.75, "labels": 0.25}
    )
    found = VocabularyTargets(2.0, label_share=0.25)(student, teacher, batch)
    torch.testing.assert_close(found, both(student, teacher, batch), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("divergence", ["forward", "reverse", "jensen-shannon"])
def test_a_student_that_says_what_the_teacher_says_loses_nothing(batch: Batch, divergence: str) -> None:
    student = make_output(1, 6)
    loss = VocabularyTargets(3.0, divergence)  # type: ignore[arg-type]
    assert torch.equal(loss(student, student, batch), torch.zeros(4))


def test_a_head_that_is_padded_needs_the_number_of_words(batch: Batch) -> None:
    student, teacher = make_output(1, 6), make_output(2, 10, words=WORDS + 3)
    for loss in (VocabularyTargets(), TopTargets(4)):
        with pytest.raises(ValueError, match="the student has 29 words and the teacher 32"):
            loss(student, teacher, batch)
    for loss in (VocabularyTargets(num_words=WORDS), TopTargets(4, num_words=WORDS)):
        assert loss(student, teacher, batch).isfinite().all()


def test_what_is_no_language_model_is_refused(batch: Batch) -> None:
    student = make_output(1, 6)
    with pytest.raises(
        ValueError, match="VocabularyLabels reads the words of a language model and the student is none"
    ):
        VocabularyLabels()(whole(student), None, batch)
    with pytest.raises(
        ValueError, match="VocabularyTargets reads the words of a language model and the teacher is none"
    ):
        VocabularyTargets()(student, whole(student), batch)
    with pytest.raises(ValueError, match="TopTargets compares with a teacher and there is none"):
        TopTargets()(student, None, batch)


def test_senseless_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="label_smoothing is 1.5; expected 0 to 1"):
        VocabularyLabels(1.5)
    for make in (VocabularyTargets, lambda temperature: TopTargets(3, temperature)):
        with pytest.raises(ValueError, match="temperature is 0.0; expected a number above 0"):
            make(0.0)
    with pytest.raises(ValueError, match="beta is 1.0; expected a number between 0 and 1\nits limits"):
        VocabularyTargets(1.0, "jensen-shannon", 1.0)
    with pytest.raises(ValueError, match="label_share is -0.1; expected 0 to 1"):
        VocabularyTargets(label_share=-0.1)
    with pytest.raises(ValueError, match="k is 0; expected 1 or more words"):
        TopTargets(0)


def test_losses_over_words_are_named_in_yaml_and_need_words_alone() -> None:
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Loss, "loss")
    config = parser.parse_string(
        """
        loss:
          class_path: slimlit.losses.WeightedSum
          init_args:
            losses:
              hard: {class_path: slimlit.losses.VocabularyLabels, init_args: {label_smoothing: 0.1}}
              soft:
                class_path: slimlit.losses.VocabularyTargets
                init_args: {temperature: 2.0, divergence: jensen-shannon, beta: 0.1, num_words: 29}
              top: {class_path: slimlit.losses.TopTargets, init_args: {k: 8}}
        """
    )
    loss = parser.instantiate(config).loss
    assert isinstance(loss, WeightedSum)
    assert loss.student_needs == loss.teacher_needs == {"words"}
    assert VocabularyLabels().teacher_needs == frozenset()
