"""The ledger composes what touched the same texts, over a lineage, and never claims what it does not know."""

import json
import math
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from slimlit.__main__ import main
from slimlit.privacy.accounting import NoisySteps, epsilon_of
from slimlit.privacy.journal import Journal, Mechanism
from slimlit.privacy.ledger import Ledger, Stage, fingerprint, machine_key, place_of

STEPS = [NoisySteps(1.2, 0.05, 300)]
KEY = b"k" * 32
PRIVATE = fingerprint(["my doctor said", "I earn"], None, KEY)
OTHER, ANOTHER = fingerprint(["x"], None, KEY), fingerprint(["y"], None, KEY)


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
    ledger = Ledger([stage("teacher", STEPS), stage("student", None, OTHER, "public.csv")])
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
    assert len(Ledger([stage("a", STEPS), stage("b", STEPS, OTHER)]).costs()) == 1
    moved = stage("c", STEPS, PRIVATE, "copy.csv")
    assert len(Ledger([stage("a", STEPS, OTHER, "one.csv"), stage("b", STEPS, ANOTHER, "two.csv"), moved]).costs()) == 3
    joined = Ledger([stage("a", STEPS), stage("b", STEPS, OTHER, "copy.csv"), moved]).costs()
    assert len(joined) == 1  # c has the texts of a and the file of b


def test_a_file_is_the_same_data_by_whatever_name_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "a.csv").write_text("")
    (tmp_path / "link.csv").symlink_to(tmp_path / "home" / "a.csv")
    monkeypatch.chdir(tmp_path / "home")
    plain = stage("a", STEPS, OTHER, "a.csv")
    for name in ("./a.csv", "../home/a.csv", str(tmp_path / "link.csv"), str(tmp_path / "home"), "."):
        assert len(Ledger([plain, stage("b", STEPS, ANOTHER, name)]).costs()) == 1
    (tmp_path / "home" / "b.csv").write_text("")
    for name in ("b.csv", "../a.csv"):
        assert len(Ledger([plain, stage("b", STEPS, ANOTHER, name)]).costs()) == 2
    placed = [replace(plain, place=place_of("a.csv", KEY))]
    monkeypatch.chdir(tmp_path)  # a.csv is no name of it here
    placed.append(stage("b", STEPS, ANOTHER, "home/a.csv"))
    assert len(Ledger(placed).costs()) == 2
    placed[-1] = replace(placed[-1], place=place_of("home/a.csv", KEY))
    assert len(Ledger(placed).costs()) == 1
    assert str(tmp_path) not in placed[0].place


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
    def of(texts: list[str], pairs: list[str] | None = None, key: bytes = KEY) -> str:
        return fingerprint(texts, pairs, key)

    assert of(["a", "b"]) == of(["b", "a"]) != of(["a", "c"])
    assert of(["a"], ["b"]) != of(["b"], ["a"])
    assert of(["a", "a"]) != of(["a"])
    assert of(["a"]) != of(["a"], key=b"l" * 32)  # without the key nobody can ask it for a text


def test_texts_that_cannot_be_compared_are_counted_together() -> None:
    elsewhere = fingerprint(["x"], None, b"l" * 32)
    (both,) = Ledger([stage("a", STEPS), stage("b", STEPS, elsewhere, "two.csv")]).costs()
    assert both.source == "notes.csv and two.csv"
    assert both.epsilon > Ledger([stage("a", STEPS)]).costs()[0].epsilon


def test_the_key_of_fingerprints_is_the_owners_and_stays(tmp_path: Path) -> None:
    key = machine_key(tmp_path / "cache")
    assert machine_key(tmp_path / "cache") == key != machine_key(tmp_path / "other")
    assert stat.S_IMODE((tmp_path / "cache" / "fingerprints.key").stat().st_mode) == 0o600


def test_two_trainings_alike_but_for_their_secret_are_two() -> None:
    one = stage("a", STEPS)
    assert len(Ledger([replace(one, identity="1"), replace(one, identity="2"), replace(one, identity="1")]).stages) == 2


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
    mechanism = Mechanism(1.0, 1.0, "flat", 0.1, 100.0, "example", 1000, 1e-4)
    journal.begin(mechanism, b"s" * 32)
    journal.step(0, "a")
    assert main(["budget", "--run", "going"]) == 0
    assert "so far" in capsys.readouterr().out
    made = Stage(
        "going", "training", "x.csv", "train", PRIVATE, 1000, steps=journal.stages(), identity=journal.identity()
    )
    (tmp_path / "runs" / "going" / "privacy.json").write_text(Ledger([made]).text())
    journal.step(1, "b")  # resumed, and not finished again
    assert main(["budget", "--run", "going", "--delta", "1e-5"]) == 0
    told = float(capsys.readouterr().out.split("epsilon ")[1].split()[0])
    assert told == pytest.approx(epsilon_of([NoisySteps(1.0, 0.1, 2)], 1e-5), rel=2e-3)
    assert main(["budget", "--run", "going", "--tuning-runs", "3"]) == 2
    assert "give one or the other" in capsys.readouterr().err
    assert main(["budget", "--examples", "100"]) == 2
    assert "a plan needs --batch-size" in capsys.readouterr().err
