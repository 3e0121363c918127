"""What ``bench`` measures, and how it tells it."""

import json
import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from slimlit import runs
from slimlit.bench.child import Child
from slimlit.bench.contestants import Contestant, contestants_of
from slimlit.bench.energy import joules
from slimlit.bench.measuring import measure, plan
from slimlit.bench.opening import Network, open_contestant
from slimlit.bench.picture import draw_bench
from slimlit.bench.process import Process
from slimlit.bench.result import Measured, Setting, table
from slimlit.bench.texts import write_texts
from slimlit.data import TextClassification
from slimlit.export.writing import Writes
from slimlit.models import Head, Pretrained
from slimlit.runs import Run


def classifier(model: Path, folder: Path) -> Contestant:
    """A toy classifier, written as a run's student is."""
    torch.manual_seed(0)
    Pretrained(str(model)).build(Head(["a", "b"], "sequence_classification")).save_pretrained(folder)
    return Contestant("student", "torch", str(folder), "fp32", "sequence_classification", ["a", "b"], 4_000_000)


def measured(name: str, seconds: float, right: int, num_bytes: int) -> Measured:
    """A contestant that took so long in each setting."""
    one = Measured(
        Contestant(name, "torch", "", "fp32", "sequence_classification", ["a", "b"], num_bytes), right, 100, 30.0, 12.0
    )
    for batch in (1, 32):
        one.add(Setting(batch, 32, 1), [seconds, seconds * batch, 9.0], [seconds, seconds, seconds], None)
    return one


def test_a_process_loads_scores_and_times_a_contestant(tmp_path: Path, toy_model: Path, toy_files: Path) -> None:
    contestant = classifier(toy_model, tmp_path / "model")
    data = TextClassification(
        str(toy_files / "train.csv"), str(toy_model), str(toy_files / "validation.csv"), max_length=32
    )
    data.setup("validate")
    number = write_texts(data.splits["validation"], tmp_path / "texts.npz", 40)
    (one,), told = measure([contestant], tmp_path / "texts.npz", plan(True, 16, 5.0))
    assert (one.count, one.peak > 0) == (number, True)
    assert sorted(one.times) == [Setting(1, 16, 1), Setting(32, 16, 1)]
    assert all(len(times) >= 6 for times in one.times.values())
    assert not told


def test_right_answers_and_nats_are_those_of_the_network(tmp_path: Path, toy_model: Path, toy_files: Path) -> None:
    opened = open_contestant(json.loads(classifier(toy_model, tmp_path / "model").text()))
    assert isinstance(opened, Network)
    data = TextClassification(
        str(toy_files / "train.csv"), str(toy_model), str(toy_files / "validation.csv"), max_length=32
    )
    data.setup("validate")
    split = data.splits["validation"]
    write_texts(split, tmp_path / "texts.npz", len(split), batch_size=7)
    said = Child(opened, "sequence_classification").score(str(tmp_path / "texts.npz"))
    batch = split.batch(range(len(split)))
    logits = opened.model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits.double()
    assert (said["right"], said["count"]) == (int((logits.argmax(-1) == batch["labels"]).sum()), len(split))
    expected = torch.nn.functional.cross_entropy(logits, batch["labels"], reduction="sum").item()
    assert said["nats"] == pytest.approx(expected, rel=1e-5)


def test_places_that_are_asked_nothing_do_not_count(tmp_path: Path) -> None:
    class Sure:
        num_words = 9

        def open(self, num_threads: int) -> Any:
            return lambda inputs: np.eye(9, dtype=np.float32)[inputs["input_ids"]]

    labels = np.asarray([[3, 4, -100], [5, -100, -100]])
    batch = {"input_ids": np.asarray([[3, 5, 7], [5, 1, 1]]), "labels": labels}
    names = {"number": np.asarray(1), "names": np.asarray(list(batch))}
    np.savez(tmp_path / "texts.npz", **{f"0.{name}": values for name, values in batch.items()}, **names)
    child = Child.__new__(Child)
    child.opened, child.num_threads = Sure(), 0  # type: ignore[assignment]
    said = child.score(str(tmp_path / "texts.npz"))
    assert (said["right"], said["count"]) == (2, 3)
    assert said["nats"] == pytest.approx(3 * math.log(math.e + 8) - 2)


def test_a_generator_tells_words_before_and_after_the_first(toy_decoder: Path) -> None:
    known = Contestant("student", "torch", str(toy_decoder), "fp32", "causal_lm", [], None)
    said = Child(open_contestant(json.loads(known.text())), "causal_lm").write(1, 16, 4, 1)
    assert min(said["prefill seconds"], said["decode seconds"]) > 0


def test_an_export_that_writes_tells_words_before_and_after_the_first_and_another_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Spelling(Writes):
        def __call__(self, inputs: dict[str, Any]) -> dict[str, Any]:
            return {"logits": inputs["input_ids"]}

        def write(self, prompt: list[int], max_new_tokens: int, stops: Any) -> list[int]:
            assert len(prompt) == 6
            assert not stops
            return prompt[:max_new_tokens]

    contestant = {"opens": "export", "source": "somewhere"}
    monkeypatch.setattr("slimlit.bench.opening.open_export", lambda folder, threads: Spelling())
    child = Child(open_contestant(contestant), "causal_lm")
    assert min(child.write(batch=1, length=6, num_new=3, threads=1).values()) > 0
    assert child.write(batch=1, length=6, num_new=12, threads=1) == {"words": 6}  # it stops early: no speed is told
    monkeypatch.setattr("slimlit.bench.opening.open_export", lambda folder, threads: lambda inputs: inputs)
    assert Child(open_contestant(contestant), "causal_lm").write(batch=1, length=6, num_new=3, threads=1) == {}


def test_medians_are_of_all_turns_and_energy_is_marked_as_an_estimate() -> None:
    one = measured("student", 0.010, 90, 4_000_000)
    report = one.report(watts=5.0)
    assert report["times"]["batch 1, 32 tokens, 1 thread"] == {
        "ms": 10.0, "cpu ms": 10.0, "texts per second": 100.0, "runs": 3,
    }  # fmt: skip
    assert report["accuracy"] == 0.9
    assert report["energy of 1000 texts"] == {
        "joules": round(0.010 * 5.0 * 1000 / 32, 3), "is estimate": True,
        "how": "processor time x 5 W, a power assumed", "of": "batch 32, 32 tokens, 1 thread",
    }  # fmt: skip
    one.add(Setting(32, 32, 1), [0.01], [0.01], 0.64)
    assert one.report(5.0)["energy of 1000 texts"]["joules"] == 20.0


def test_the_processors_counter_is_read_where_it_may_be(tmp_path: Path) -> None:
    assert joules(tmp_path) is None
    for name, count in (("intel-rapl:0", "2000000"), ("intel-rapl:1", "500000"), ("intel-rapl:0:0", "7")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(count)
    assert joules(tmp_path) == 2.5  # a part of a package is counted in it


def test_the_table_has_a_line_for_each_and_perplexity_is_named() -> None:
    words = measured("student", 0.01, 0, 4_000_000)
    words.contestant = Contestant("student", "torch", "", "fp32", "causal_lm", [], 4_000_000)
    words.writing = {"decode after 32": 80.0}
    said = table([words], 5.0).splitlines()
    assert " ".join(said[0].split()) == "1 thread MB peak MiB perplexity ms 1x32 texts/s 32x32 J/1000 (estimate)"
    assert said[1].split()[1:4] == ["4.0", "12", f"{math.exp(0.3):.4f}"]
    assert said[-1].split() == ["student", "80.0"]


def test_the_picture_shows_each_point_and_names_do_not_overlap() -> None:
    drawn = draw_bench("toy", [measured(f"number {n}", 0.01, 90, 4_000_000) for n in range(3)], "caption")
    assert drawn.count("accuracy 0.9000, 4.0 MB, 10.00 ms") == 6
    assert drawn.count(">number 1<") == 2
    heights = {
        line.split(' y="')[1].split('"')[0] for line in drawn.splitlines() if re.search(r">number \d</text>", line)
    }
    assert len(heights) == 3


def test_what_is_there_is_found_and_what_is_not_is_told(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    runs.write(run.student / "config.json", json.dumps({"model_type": "bert"}))
    (run.student / "model.safetensors").write_bytes(b"0" * 1000)
    for name, target in (("onnx-int8", "onnx"), ("hub", "hub"), ("strange", "")):
        runs.write(run.folder / "export" / name / "slimlit.json", json.dumps({"target": target}) if target else "{")
    teacher = {"class_path": "slimlit.models.Pretrained", "init_args": {"source": "./gone"}}
    config = {"model": {"init_args": {"teacher": teacher}}}
    found, told = contestants_of(run, config, "sequence_classification", ["a", "b"])
    by_name = {one.name: one for one in found}
    assert {"student", "student bf16", "hub"} <= set(by_name)
    assert by_name["student"].num_bytes == 1000 + len('{"model_type": "bert"}')
    assert by_name["student bf16"].num_bytes == by_name["student"].num_bytes - 500
    assert told[0] == "teacher: ./gone is not there"
    settings = {"source": str(run.folder), "plan": "plan"}
    config = {"model": {"init_args": {"teacher": {"class_path": "slimlit.compress.FewerWords", "init_args": settings}}}}
    cut, _ = contestants_of(run, config, "sequence_classification", ["a", "b"])
    assert (cut[0].name, cut[0].source, cut[0].plan) == ("teacher", str(run.folder), "plan")
    student = {"class_path": "slimlit.compress.Pruned", "init_args": {**settings, "plan": str(tmp_path / "plan")}}
    config = {"model": {"init_args": {"student": student, "teacher": None}}}
    assert contestants_of(run, config, "sequence_classification", [])[1][0].startswith("teacher: the run has none")
    runs.write(run.reports / "compress.json", "{}")  # compressed without training: the run it is of is its teacher
    whole = contestants_of(run, config, "sequence_classification", [])[0][0]
    runs.write(tmp_path / "plan" / "tokenizer_config.json", "{}")
    fewer = contestants_of(run, config, "sequence_classification", [])[0][0]
    assert (whole.name, whole.source, whole.plan) == ("teacher", str(run.folder), None)
    assert (fewer.source, fewer.plan) == (str(run.folder), str(tmp_path / "plan"))
    assert any(line.startswith("strange: ") and "damaged" in line for line in told)
    left = run.folder / "export" / "hub.slimlit-unfinished"
    runs.write(left / "slimlit.json", json.dumps({"target": "hub"}))
    found, told = contestants_of(run, config, "sequence_classification", ["a", "b"])
    assert left.name not in {one.name for one in found}
    assert any(line.startswith(f"{left.name}: left by an export that was killed") for line in told)
    assert "onnx-int8" in by_name or any(line.startswith("onnx-int8: needs onnxruntime; type: pip") for line in told)


def test_a_process_that_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slimlit.bench.process.sys.executable", "/bin/false")
    known = Contestant("one", "torch", "", "fp32", "causal_lm", [], None)
    assert measure([known], None, plan(True, 16, 5.0)) == ([], ["one: its process ended with status 1"])


def test_seconds_are_those_of_words_really_written_and_none_where_fewer_than_half_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Spelling(Writes):
        room = 6

        def __call__(self, inputs: dict[str, Any]) -> dict[str, Any]:
            return inputs

        def write(self, prompt: list[int], max_new_tokens: int, stops: Any) -> list[int]:
            clock.append(clock[-1] + min(max_new_tokens, self.room))
            return [7] * min(max_new_tokens, self.room)

    clock = [0.0]
    monkeypatch.setattr("slimlit.bench.child.time", SimpleNamespace(perf_counter=lambda: clock[-1]))
    monkeypatch.setattr("slimlit.bench.opening.open_export", lambda folder, threads: Spelling())
    child = Child(open_contestant({"opens": "export", "source": "somewhere"}), "causal_lm")
    assert child.write(1, 4, 8, 1) == {"words": 6, "prefill seconds": 1.0, "decode seconds": 1.0}
    assert child.write(1, 4, 11, 1) == {"words": 6}
    Spelling.room = 0
    assert child.write(1, 4, 8, 1) == {"words": 0}


def test_a_prompt_after_which_too_little_was_written_is_told_in_a_line_and_its_cell_is_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Asked(Process):
        def __init__(self, contestant: Contestant) -> None:
            self.contestant = contestant

        def __enter__(self) -> "Asked":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def reply(self) -> None:
            pass

        def ask(self, do: str, length: int = 0, **_: Any) -> dict[str, Any]:
            if do == "write":
                return {"words": 1} if length > 32 else {"words": 33, "prefill seconds": 1.0, "decode seconds": 0.5}
            return {"seconds": [1.0], "cpu seconds": [1.0], "joules": None, "peak MiB": 1.0}

    monkeypatch.setattr("slimlit.bench.measuring.Process", Asked)
    phone = Contestant("phone", "export", "", "fp32", "causal_lm", [], None)
    (one,), told = measure([phone], None, plan(False, 128, 5.0))
    assert told == ["phone: wrote 1 of 33 words after a prompt of 128 tokens; how fast is not told"]
    assert one.writing == {"prefill of 32": 32.0, "decode after 32": 2.0}
    other = measured("student", 1.0, 0, 1)
    other.writing = {"prefill of 128": 9.0}
    assert table([other, one], 5.0).splitlines()[-1].split() == ["phone", "32.0", "2.0"]
