"""Dialogues under differential privacy: the unit is the dialogue, whatever examples are made of it."""

from pathlib import Path

import pytest

from slimlit.callbacks import DifferentialPrivacy
from slimlit.data import Dialogues
from slimlit.data.toy_dialogues import write_toy_dialogues
from slimlit.models import Pretrained
from slimlit.tasks import CausalLM
from tests.tasks.doubles import toy_trainer


def fit(model: Path, folder: Path, group_column: str | None) -> DifferentialPrivacy:
    write_toy_dialogues(folder / "dialogues.jsonl", 30)
    data = Dialogues(str(folder / "dialogues.jsonl"), str(model), replies="each", max_length=128, batch_size=4)
    private = DifferentialPrivacy(noise_multiplier=1.0, group_column=group_column, physical_batch_size=8, seed=1)
    toy_trainer(folder, max_steps=1, limit_val_batches=0, callbacks=[private]).fit(
        CausalLM(Pretrained(str(model))), datamodule=data
    )
    return private


def test_a_step_counts_dialogues_where_each_makes_several_examples(toy_chat_model: Path, tmp_path: Path) -> None:
    mechanism = fit(toy_chat_model, tmp_path, "dialogue").journal.mechanism()
    assert mechanism is not None
    assert (mechanism.unit, mechanism.num_units) == ("dialogue", 24)
    assert mechanism.sample_rate == pytest.approx(4 / 24)


def test_several_examples_of_a_dialogue_are_refused_without_their_group(toy_chat_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"each makes several examples of a dialogue.*\n.*group_column to dialogue"):
        fit(toy_chat_model, tmp_path, None)
