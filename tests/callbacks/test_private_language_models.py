"""Language models train privately: what is clipped is each example's own gradient, and documents are protected whole or refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from slimlit.callbacks.differential_privacy import DifferentialPrivacy
from slimlit.callbacks.teacher_cache import TeacherCache
from slimlit.losses import VocabularyLabels, VocabularyTargets, WeightedSum
from slimlit.models import Fresh, Pretrained, Shrunk
from tests.callbacks.test_differential_privacy import Build, Noiseless, Spy
from tests.tasks.language_models import SETTINGS, fit, make, text_data

_STILL = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
STILL: dict[str, dict[str, Any]] = {
    "llama": SETTINGS["llama"],
    "llama, untied": {**SETTINGS["llama"], "tie_word_embeddings": False},
    "gpt2": {**SETTINGS["gpt2"], **_STILL},
    "bert": {**SETTINGS["bert"], "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
}
APART = {"packing": False, "batch_size": 8}


def still(name: str, tokenizer: Path) -> Fresh:
    return Fresh(name.split(",")[0], str(tokenizer), STILL[name])


@pytest.mark.parametrize("name", STILL)
def test_the_gradient_is_the_clipped_sum_of_single_backward_passes(
    name: str, toy_text: Path, toy_model: Path, tmp_path: Path
) -> None:
    spy, build = Spy(), Build()
    private = Noiseless(noise_multiplier=1.0, max_grad_norm=0.5, physical_batch_size=7, seed=5)
    masked = name == "bert"
    task = make(still(name, toy_model), masked=masked)
    data = text_data(toy_text, toy_model, masked, **APART)
    fit(task, data, tmp_path, callbacks=[private, spy, build], max_steps=1, limit_val_batches=0)
    student = build.student.requires_grad_(True)
    wanted: dict[str, Tensor] = {}
    clipped = 0
    for batch in spy.batches:
        for row in range(len(batch["labels"])):
            real = batch["attention_mask"][row].bool()
            logits = student(input_ids=batch["input_ids"][row][real][None]).logits[0]
            labels = batch["labels"][row][real]
            loss = torch.nn.functional.cross_entropy(logits[labels != -100], labels[labels != -100])
            names, parameters = zip(*student.named_parameters(), strict=True)
            single = torch.autograd.grad(loss, parameters)
            norm = float(sum(part.square().sum() for part in single)) ** 0.5
            clipped += norm > 0.5
            for one, part in zip(names, single, strict=True):
                wanted[one] = wanted.get(one, torch.zeros_like(part)) + part * min(1.0, 0.5 / norm) / private.expected
    assert clipped
    for one, part in wanted.items():
        torch.testing.assert_close(spy.gradients[0][f"student.{one}"], part, rtol=1e-4, atol=1e-6)


def test_a_student_is_distilled_privately_from_cached_words(toy_text: Path, toy_decoder: Path, tmp_path: Path) -> None:
    found = []
    for callbacks in ([], [TeacherCache(str(tmp_path / "cache"))]):
        loss = WeightedSum({"hard": VocabularyLabels(), "soft": VocabularyTargets(2.0, "reverse")})
        task = make(Shrunk(layers=[1]), Pretrained(str(toy_decoder)), loss, lr=1e-3)
        private = Noiseless(noise_multiplier=1.0, physical_batch_size=6, seed=5)
        fit(task, text_data(toy_text, toy_decoder, **APART), tmp_path, callbacks=[private, *callbacks], max_steps=2)
        found.append(torch.cat([weight.detach().flatten() for weight in task.student.parameters()]))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-4)


def test_packed_rows_and_documents_in_several_examples_are_refused(
    toy_text: Path, toy_decoder: Path, tmp_path: Path
) -> None:
    def private(**settings: Any) -> DifferentialPrivacy:
        return DifferentialPrivacy(noise_multiplier=1.0, seed=5, **settings)

    task = make(still("llama", toy_decoder))
    with pytest.raises(ValueError, match="no privacy this way: rows are packed of several documents"):
        fit(task, text_data(toy_text, toy_decoder), tmp_path, callbacks=[private()], max_steps=1)
    short = {**APART, "max_length": 12}
    with pytest.raises(ValueError, match="documents stand in several examples") as caught:
        fit(task, text_data(toy_text, toy_decoder, **short), tmp_path, callbacks=[private()], max_steps=1)
    assert "group_column to document" in str(caught.value)
    whole = private(group_column="document")
    data = text_data(toy_text, toy_decoder, **short)
    fit(make(still("llama", toy_decoder)), data, tmp_path, callbacks=[whole], max_steps=1)
    assert whole.mechanism is not None
    assert whole.mechanism.unit == "document"
    assert whole.mechanism.num_units == len(data.splits["train"].texts)
