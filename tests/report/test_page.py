"""The page of a run shows what was found, hides what is private, and is written whatever the files hold."""

import json
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

from slimlit.report import write_page
from slimlit.report.page import SECTIONS, draw_page
from slimlit.report.reading import read_run
from slimlit.runs import Run
from tests.report.by_hand import METRICS, write_run


def text_of(page: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<(style|script)>.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)))


def sections(page: str) -> list[str]:
    return re.findall(r'<section id="([\w-]+)"', page)


def test_a_full_run_has_every_section_but_those_of_networks_that_write(tmp_path: Path) -> None:
    write_run(tmp_path / "teacher")
    run = write_run(tmp_path / "student", teacher=str(tmp_path / "teacher"))
    page = write_page(run).read_text(encoding="utf-8")
    assert sections(page) == [key for key, _, _ in SECTIONS if key not in ("writing", "others")]
    said = text_of(page)
    assert "A classifier of texts, distilled from teacher." in said
    assert "0.1 × HardLabels + SoftTargets (temperature 2)" in said
    assert "100.0 % of the teacher's" in said  # it was tested on the same texts


def test_what_was_measured_of_reasons_exports_and_speed_is_told(tmp_path: Path) -> None:
    said = text_of(write_page(write_run(tmp_path / "run")).read_text(encoding="utf-8"))
    for told in (
        "input-gradient passed 0.90 failed 0.90 not tested 3.5 ms",
        "No word matters to the answer of 25 % of the texts. It rests on 90 texts; 24 of them compared with 3 copies of noise; seed 0.",
        "Reasons at step 20 mean 95 % comprehensiveness +0.900 +0.800 to +1.000",
        "student fp32 70 kB 12.5 MiB 80.0 % 3.25 ms",
        "onnx-int8 30 kB accuracy 0.7900 accuracy 0.8000 1 of 9 0.99900 1.5 ms - flips",
        "parameters 200 100 50.0 % layers width 8 4 50.0 %",
    ):
        assert told in said


def test_a_section_without_anything_to_show_is_not_there(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    assert sections(write_page(run).read_text(encoding="utf-8")) == []
    run.metrics.write_text(METRICS)
    assert sections(write_page(run).read_text(encoding="utf-8")) == ["training", "quality", "explanations"]


def test_errors_that_were_explained_are_shown_where_no_list_of_wrong_answers_was_kept(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    for file in run.reports.glob("*-worst.*"):
        file.unlink()
    page = draw_page(read_run(run))
    assert "errors" in sections(page)
    assert "so fine" in text_of(page)
    assert "test example 2" in text_of(page)


def test_a_teacher_tested_on_other_texts_is_not_compared(tmp_path: Path) -> None:
    teacher = write_run(tmp_path / "teacher")
    (teacher.reports / "data-test.json").write_text('{"test file": {"source": "other.csv"}}')
    run = write_run(tmp_path / "student", teacher=str(teacher.folder))
    assert "share of the teacher" not in draw_page(read_run(run))


def test_of_a_private_run_no_text_is_shown_and_of_its_training_texts_their_number_alone(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", private=True)
    (run.reports / "test-worst.json").write_text(json.dumps({"worst": [{"text": "a secret", "label": "x"}]}))
    (run.reports / "test-outputs.tsv").write_text("source\tstudent\na secret\tanother secret\n")
    counts = {
        "train": {"examples": 90, "tokens": 777, "labels": {"bad": 888}},
        "texts of validation that are in train": 6543,
    }
    (run.reports / "data.json").write_text(json.dumps(counts))
    said = text_of(write_page(run).read_text(encoding="utf-8"))
    assert "secret" not in said
    assert "90" in said
    assert [number for number in ("777", "888", "6,543") if number in said] == []
    assert "ε 3.2 at δ 0.001" in said
    assert "Attacks show that epsilon is at least 0.40; epsilon 3.2 is claimed." in said


def test_a_file_of_another_form_stops_no_page(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", teacher="minilm")
    for file in [path for path in run.folder.rglob("*") if path.is_file()]:
        before = file.read_bytes()
        file.write_bytes(
            b'{"worst": 3, "bins": [{"a": []}], "attacks": 5, "grades": {}, "train": [], "trainer": 1, "stages": 2}'
        )
        assert "<title>run · slimlit</title>" in write_page(run).read_text(encoding="utf-8"), file
        file.write_bytes(before)


@pytest.mark.parametrize("damage", [b"\xff\x00\xfe", b"[1, 2]", None])
def test_a_damaged_file_becomes_a_line_that_says_so(damage: bytes | None, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", teacher="minilm")
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    for file in files:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2] if damage is None else damage)
    said = text_of(write_page(run).read_text(encoding="utf-8"))
    for file in files:
        if file.suffix == ".json" and file.parent != run.student:
            assert f"{file.relative_to(run.folder)} " in said, file


def test_a_report_of_another_form_becomes_a_line_that_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (run.reports / "test-calibration.json").write_text('{"bins": [{"high": 1}]}')
    said = text_of(write_page(run).read_text(encoding="utf-8"))
    assert "Quality: a report has another form than expected" in said


def test_a_report_the_page_does_not_know_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (run.reports / "novelty.json").write_text('{"a": 1}')
    assert "This page does not know reports/novelty.json ." in text_of(write_page(run).read_text(encoding="utf-8"))


def test_lineage_goes_to_the_teachers_teacher_and_down_to_the_students(tmp_path: Path) -> None:
    write_run(tmp_path / "first", teacher="minilm")
    middle = write_run(tmp_path / "middle", teacher=str(tmp_path / "first"))
    last = write_run(tmp_path / "last", teacher=str(tmp_path / "middle"))
    write_page(last)
    page = write_page(middle).read_text(encoding="utf-8")
    assert "minilm (teacher of first) first (teacher of middle) middle (this run) Its students: 1 last" in text_of(page)
    assert 'href="../last/report.html"' in page


def test_a_run_that_is_its_own_teachers_student_ends(tmp_path: Path) -> None:
    write_run(tmp_path / "a", teacher=str(tmp_path / "b"))
    assert "b" in text_of(
        write_page(write_run(tmp_path / "b", teacher=str(tmp_path / "a"))).read_text(encoding="utf-8")
    )


def test_writing_a_page_needs_neither_torch_nor_lightning(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    script = (
        "import sys; from pathlib import Path; from slimlit.report import write_page; from slimlit.runs import Run;"
        f"write_page(Run(Path({str(tmp_path / 'run')!r}))); assert not {{'torch', 'lightning', 'transformers'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("num_rows", [0, 3000])
def test_a_line_of_many_points_stays_small(num_rows: int, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    rows = "".join(f"0,{step},{1 / (1 + step)},,,,,,\n" for step in range(num_rows))
    run.metrics.write_text(METRICS.splitlines()[0] + "\n" + rows)
    assert write_page(run).stat().st_size < 100_000
