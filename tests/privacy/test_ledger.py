"""The ledger composes what touched the same texts, over a lineage, and never claims what it does not know."""

import json
import math
from pathlib import Path

import pytest

from slimlit.__main__ import main
from slimlit.privacy.accounting import NoisySteps, epsilon_of
from slimlit.privacy.journal import Journal, Mechanism
from slimlit.privacy.ledger import Ledger, Stage, fingerprint

STEPS = [NoisySteps(1.2, 0.05, 300)]
PRIVATE = fingerprint(["my doctor said", "I earn"])


def stage(
    run: str, steps: list[NoisySteps] | None, data: str = PRIVATE, source: str = "notes.csv", **more: str
) -> Stage:
    return Stage(
        run, more.get("kind", "training"), source, "train", data, 2000, steps=steps, why="" if steps else "no noise"
    )


def test_private_teacher_and_private_student_on_the_same_texts_are_composed_jointly() -> None:
    alone = Ledger([stage("teacher", STEPS)]).costs()[0]
    (both,) = Ledger([stage("teacher", STEPS), stage("student", STEPS)]).costs()
    assert both.delta == 0.1 / 2000
    assert both.epsilon == pytest.approx(epsilon_of([NoisySteps(1.2, 0.05, 600)], both.delta), rel=1e-3)
    assert alone.epsilon < both.epsilon < 2 * alone.epsilon


def test_a_student_on_other_texts_costs_the_teachers_nothing() -> None:
    ledger = Ledger([stage("teacher", STEPS), stage("student", None, "another", "public.csv")])
    private, public = ledger.costs()
    assert private.epsilon == Ledger([stage("teacher", STEPS)]).costs()[0].epsilon
    assert math.isinf(public.epsilon)


def test_a_teacher_without_noise_on_private_text_makes_it_infinite_and_says_so() -> None:
    ledger = Ledger([stage("teacher", None), stage("student", STEPS)])
    assert math.isinf(ledger.costs()[0].epsilon)
    assert "No guarantee" in ledger.statement()
    assert "training of teacher" in ledger.statement()
    assert json.loads(ledger.text())["data"][0]["epsilon"] is None


def test_the_same_part_of_the_same_file_is_the_same_data_though_it_has_changed() -> None:
    assert len(Ledger([stage("a", STEPS), stage("b", STEPS, "grown since")]).costs()) == 1
    moved = stage("c", STEPS, PRIVATE, "copy.csv")
    assert len(Ledger([stage("a", STEPS, "x", "one.csv"), stage("b", STEPS, "y", "two.csv"), moved]).costs()) == 3
    joined = Ledger([stage("a", STEPS), stage("b", STEPS, "y", "copy.csv"), moved]).costs()
    assert len(joined) == 1  # c has the texts of a and the file of b


def test_a_stage_met_twice_counts_once_and_a_ledger_reads_back(tmp_path: Path) -> None:
    teacher = Ledger([stage("teacher", STEPS)], ["a note"])
    whole = teacher + teacher + Ledger([stage("student", STEPS)])
    assert len(whole.stages) == 2
    (tmp_path / "privacy.json").write_text(whole.text())
    again = Ledger.read(tmp_path / "privacy.json")
    assert (again.stages, again.notes) == (whole.stages, ["a note"])
    (tmp_path / "privacy.json").write_text(whole.text()[:-40])
    with pytest.raises(ValueError, match="damaged"):
        Ledger.read(tmp_path / "privacy.json")


def test_the_fingerprint_is_of_texts_in_any_order() -> None:
    assert fingerprint(["a", "b"]) == fingerprint(["b", "a"]) != fingerprint(["a", "c"])
    assert fingerprint(["a"], ["b"]) != fingerprint(["b"], ["a"])
    assert fingerprint(["a", "a"]) != fingerprint(["a"])


def test_budget_tells_what_runs_have_cost_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("teacher", "student", "going"):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text("")
        if name != "going":
            (folder / "privacy.json").write_text(Ledger([stage(name, STEPS)]).text())
    assert main(["budget", "--run", "teacher", "--run", "student", "--delta", "1e-5"]) == 0
    shown = capsys.readouterr().out
    together = epsilon_of([NoisySteps(1.2, 0.05, 600)], 1e-5)
    assert float(shown.split("epsilon ")[1].split()[0]) == pytest.approx(together, rel=2e-3)
    assert "training of teacher" in shown
    assert main(["budget", "--run", "going"]) == 2
    assert "neither a ledger nor a journal" in capsys.readouterr().err
    journal = Journal(tmp_path / "runs" / "going" / "private")
    journal.begin(Mechanism(1.0, 1.0, "flat", 0.1, 100.0, "example", 1000, 1e-4))
    journal.step(0, "a")
    assert main(["budget", "--run", "going"]) == 0
    assert "so far" in capsys.readouterr().out
    assert main(["budget", "--examples", "100"]) == 2
    assert "a plan needs --batch-size" in capsys.readouterr().err
