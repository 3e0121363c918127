"""``slimlit prepare``: nothing vanishes uncounted, a killed run goes on to the same bytes, and no output is half-written."""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from slimlit.__main__ import main
from slimlit.data.files import Columns, read_texts
from slimlit.text.prepare import Preparation
from slimlit.text.prepare.near_duplicates import NearDuplicates
from slimlit.text.prepare.rules import NumCharacters, NumStopWords
from tests.text.outputs import LETTERS, read


def texts(seed: int, count: int, length: int = 60) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(LETTERS + "    ", k=6 * length)).strip() for _ in range(count)]


def write(path: Path, documents: list[Any]) -> Path:
    records = [one if isinstance(one, dict) else {"text": one} for one in documents]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def kept(folder: Path, part: str) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted((folder / part).iterdir()) for line in file.read_text().splitlines()]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """200 texts with a field, of which 20 are edited copies, 10 too short and 3 lines broken."""
    originals = texts(1, 180)
    copies = [text.upper() if number % 2 else f"{text} more" for number, text in enumerate(originals[:20])]
    documents = [{"text": text, "number": number} for number, text in enumerate([*originals, *copies, *["short"] * 10])]
    path = write(tmp_path / "corpus.jsonl", documents)
    with path.open("a") as file:
        file.write('{"text": \n[]\n{"text": null}\n')
    return path


def test_every_document_is_kept_or_counted_with_examples(corpus: Path, tmp_path: Path) -> None:
    out = Preparation(str(corpus), str(tmp_path / "out"), split={"validation": 0.1, "test": 0.1}).run()
    report = json.loads((out / "report.json").read_text())
    taken = {rule: one["documents"] for rule, one in report["dropped"].items()}
    assert taken == {"Broken": 3, "Empty": 0, "NumCharacters": 10, "NearDuplicates": 20, "Contained": 0}
    left = {name: part["documents"] for name, part in report["parts"].items()}
    assert report["read"] == 213 == sum(taken.values()) + sum(left.values())
    assert all(0 < left[name] < 50 for name in ("validation", "test"))
    assert left == {name: len(kept(out, name)) for name in left}
    (broken, *_), (short, *_) = (report["dropped"][rule]["samples"] for rule in ("Broken", "NumCharacters"))
    assert broken["where"] == "corpus.jsonl:211"
    assert short == {"where": "corpus.jsonl:201", "why": "5 characters, expected 200", "text": "short"}
    assert report["dropped"]["NearDuplicates"]["samples"][0]["similarity"] >= 0.8


def test_of_near_duplicates_the_first_stays_and_fields_stay_with_their_text(corpus: Path, tmp_path: Path) -> None:
    out = Preparation(str(corpus), str(tmp_path / "out"), split={}).run()
    assert [record["number"] for record in kept(out, "train")] == list(range(180))
    originals = [json.loads(line) for line in corpus.read_text().splitlines()[:180]]
    assert kept(out, "train") == originals


def test_without_near_duplicates_all_stay(corpus: Path, tmp_path: Path) -> None:
    out = Preparation(str(corpus), str(tmp_path / "out"), near_duplicates=None, split={}).run()
    assert len(kept(out, "train")) == 200


def test_texts_the_same_but_for_case_fall_into_the_same_part(tmp_path: Path) -> None:
    originals = texts(2, 60)
    path = write(tmp_path / "a.jsonl", [*originals, *map(str.upper, originals)])
    out = Preparation(str(path), str(tmp_path / "out"), near_duplicates=None, split={"test": 0.5}).run()
    train, test = ({record["text"].lower() for record in kept(out, part)} for part in ("train", "test"))
    assert train
    assert test
    assert not train & test


def test_a_held_out_text_that_stands_in_a_training_text_is_dropped(tmp_path: Path) -> None:
    short, long = texts(3, 40), texts(4, 40, 400)
    together = [f"{long[number]} {text}" for number, text in enumerate(short)]
    path = write(tmp_path / "a.jsonl", [*short, *together])
    out = Preparation(str(path), str(tmp_path / "out"), split={"test": 0.4}).run()
    train, test = ({record["text"] for record in kept(out, part)} for part in ("train", "test"))
    assert test
    assert not [text for text in test for longer in train if text in longer]
    dropped = json.loads((out / "report.json").read_text())["dropped"]["Contained"]
    assert dropped["documents"] == 80 - len(train) - len(test) > 0
    assert dropped["samples"][0]["share"] == 1.0
    kept_all = Preparation(str(path), str(tmp_path / "all"), split={"test": 0.4}, contained=None).run()
    assert len(kept(kept_all, "train")) + len(kept(kept_all, "test")) == 80


def test_the_result_can_be_trained_on(corpus: Path, tmp_path: Path) -> None:
    out = Preparation(str(corpus), str(tmp_path / "out")).run()
    found = read_texts(str(out / "train" / "part-00000.jsonl"), Columns(label="number"))
    assert len(found) == len(kept(out, "train"))


def test_a_shard_holds_what_it_may_and_the_manifest_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slimlit.text.prepare.stages.BLOCK_BYTES", 300_000)
    path = write(tmp_path / "a.jsonl", texts(5, 600, 500))
    out = Preparation(str(path), str(tmp_path / "out"), split={}, shard_mib=1).run()
    manifest = json.loads((out / "files.json").read_text())
    parts = ["train/part-00000.jsonl", "train/part-00001.jsonl"]
    assert list(manifest["files"]) == parts
    for name, about in manifest["files"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == about["sha256"]
    assert sum(manifest["files"][name]["documents"] for name in parts) == 600


KILLED = """
import os, shutil, signal, sys, warnings
from pathlib import Path
import slimlit.text.prepare.stages as stages
from slimlit.text.prepare import Preparation
from tests.text.outputs import read
stages.BLOCK_BYTES = 40_000
source, whole, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
rename, kills = os.replace, 0
for moment in range(1, 1000, 4):  # killed at that file that would be put in place, then gone on
    child = os.fork()
    if not child:
        left = moment
        def replace(old, new):
            global left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            rename(old, new)
        os.replace = replace
        Preparation(source, str(out), split={"test": 0.1}).run()
        os._exit(0)
    ended = os.waitpid(child, 0)[1]
    if not ended:
        break
    kills += 1
    assert not out.exists(), "half-written"
    Preparation(source, str(out), split={"test": 0.1}).run()
    assert read(out) == read(whole), moment
    assert not out.with_name(out.name + ".unfinished").exists()
    shutil.rmtree(out)
print(kills)
"""


def apart(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)


def test_a_run_killed_at_any_moment_goes_on_to_the_same_bytes(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimlit.text.prepare.stages.BLOCK_BYTES", 40_000)
    whole = Preparation(str(corpus), str(tmp_path / "whole"), split={"test": 0.1}).run()
    done = apart(KILLED, str(corpus), str(whole), str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) > 8


def test_two_processes_give_the_bytes_of_one(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slimlit.text.prepare.stages.BLOCK_BYTES", 20_000)
    rules = [NumCharacters(), NumStopWords(least=0)]
    one = Preparation(str(corpus), str(tmp_path / "one"), rules=rules).run()
    two = Preparation(str(corpus), str(tmp_path / "two"), rules=rules, processes=2).run()
    assert read(one) == read(two)


def test_a_worker_whose_parent_was_killed_ends_too() -> None:
    code = "from slimlit.text.prepare.processes import each\nfrom tests.text.outputs import process\n"
    code += (
        "for pid in each(process, [1, 2, 3, 4] * 100, 2):\n    print(pid, flush=True)\n    import time; time.sleep(1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        state = Path(f"/proc/{worker}/stat").read_text().rsplit(")")[1].split()[0]
        if state == "Z":
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{worker}").exists()


def test_an_output_is_never_overwritten(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["prepare", "--sources", str(corpus), "--output", str(tmp_path / "out")]
    assert main(command) == 0
    before = read(tmp_path / "out")
    assert main(command) == 2
    assert "out exists\nname another output" in capsys.readouterr().err
    assert read(tmp_path / "out") == before


def test_what_a_run_killed_after_its_last_step_left_is_removed(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove(folder: Path, **_: object) -> None:
        if folder.name == "out.unfinished":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("slimlit.text.prepare.workplace.shutil.rmtree", remove)
        with pytest.raises(KeyboardInterrupt):
            Preparation(str(corpus), str(tmp_path / "out")).run()
    assert (tmp_path / "out.unfinished").exists()
    with pytest.raises(ValueError, match="out exists"):
        Preparation(str(corpus), str(tmp_path / "out")).run()
    assert {path.name for path in tmp_path.iterdir()} == {"corpus.jsonl", "out"}


def stopped(corpus: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that Ctrl-C stopped after its documents were read."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("slimlit.text.prepare.stages.find_duplicates", stop)
        assert main(["prepare", "--sources", str(corpus), "--output", str(out)]) == 1


def test_an_unfinished_output_goes_on_only_with_the_same_settings_and_files(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    stopped(corpus, out, monkeypatch)
    assert "the same command goes on" in capsys.readouterr().err
    with pytest.raises(ValueError, match="other settings: near_duplicates, seed\ngive the same ones"):
        Preparation(str(corpus), str(out), near_duplicates=NearDuplicates(0.9), seed=1).run()
    os.utime(corpus, (1, 1))
    with pytest.raises(ValueError, match="other settings: files"):
        Preparation(str(corpus), str(out)).run()


def test_a_second_run_beside_the_first_is_refused(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(*_: object) -> None:
        with pytest.raises(ValueError, match="is being made by another process"):
            Preparation(str(corpus), str(tmp_path / "out")).run()
        raise KeyboardInterrupt

    monkeypatch.setattr("slimlit.text.prepare.stages.find_duplicates", again)
    with pytest.raises(KeyboardInterrupt):
        Preparation(str(corpus), str(tmp_path / "out")).run()


def test_a_mistake_leaves_nothing_behind(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "--sources", str(corpus), "--output", str(tmp_path / "out"), "--text_column", "body"]) == 2
    assert "no text in 'body'; it has: text, number" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"corpus.jsonl"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sourcs", "x"], "no setting 'sourcs'\ndid you mean 'sources'?"),
        (["--near_duplicates.threshold", "2"], "threshold is 2\nexpected above 0"),
        (
            ["--rules", "slimlit.text.prepare.rules.NumCharacter"],
            "did you mean 'slimlit.text.prepare.rules.NumCharacters'?",
        ),
        (["--split", "{test: 1.0}"], "expected shares above 0 that leave something"),
        (["--split", "{valid: 0.1}"], "split has a part 'valid'\nexpected shares of validation and test"),
        (["--seed", "one"], "seed"),
        (["--near_duplicates.treshold", "0.7"], "NearDuplicates takes no 'treshold'\ndid you mean 'threshold'?"),
        (["--tokenizer", "minilm"], "one that is there already makes shards: --shards.tokenizer minilm"),
        (["--contained", "0"], "contained is 0"),
    ],
)
def test_a_mistake_is_told_in_few_lines(
    options: list[str], said: str, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", "--sources", str(corpus), "--output", str(tmp_path / "out"), *options]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) <= 4
    assert not (tmp_path / "out.unfinished").exists()


@pytest.mark.parametrize(
    "way",
    ["{0} {1}", "{0} --sources {1}", "[{0},{1}]", "[{0}] {1}", "{0} --sources+={1}", "{0} --seed 0 --sources+ {1}"],
)
def test_several_sources_are_all_read(way: str, corpus: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("A document of its own, in another file. " * 8)
    options = ["--sources", *way.format(corpus, other).split(), "--output", str(tmp_path / "out")]
    assert main(["prepare", *options]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["files"] == 2
    assert main(["prepare", "--sources", str(corpus), "--output", str(tmp_path / "one")]) == 0
    assert report["read"] == json.loads((tmp_path / "one" / "report.json").read_text())["read"] + 1


def test_sources_may_be_added_to_those_of_a_config(corpus: Path, tmp_path: Path) -> None:
    config = tmp_path / "prepare.yaml"
    config.write_text(yaml.safe_dump({"sources": [str(corpus)], "output": str(tmp_path / "out")}))
    others = [tmp_path / name for name in ("a.txt", "b.txt")]
    for other in others:
        other.write_text(f"A document of its own, in the file {other.name}. " * 8)
    assert main(["prepare", "--config", str(config), "--sources+", *map(str, others)]) == 0
    assert json.loads((tmp_path / "out" / "report.json").read_text())["files"] == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no document is left of 0: the files are empty"),
        ("中文".encode("gbk"), "no document is left of 1: 1 Broken\n"),
    ],
)
def test_why_nothing_is_left_is_told(
    content: str | bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "source.txt"
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["prepare", "--sources", str(source), "--output", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert not content or "source.txt:1: no UTF-8 text" in told


def test_a_file_without_the_column_is_refused_beside_others_that_need_none(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plain.txt").write_text("A plain text. " * 20)
    options = ["--text_column", "body", "--output", str(tmp_path / "out")]
    assert main(["prepare", "--sources", str(tmp_path), *options]) == 2
    assert "corpus.jsonl: no text in 'body'" in capsys.readouterr().err


def test_a_record_or_two_without_text_do_not_stop_the_others(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "few.jsonl").write_text('{"text": null}\n{"body": "other"}\n')
    assert main(["prepare", "--sources", str(tmp_path), "--output", str(tmp_path / "out")]) == 0
    broken = json.loads((tmp_path / "out" / "report.json").read_text())["dropped"]["Broken"]
    assert [one["why"] for one in broken["samples"] if "few.jsonl" in one["where"]] == [
        "NoneType in 'text', expected text",
        "no text in 'text'; it has: body",
    ]


def test_the_settings_written_beside_the_data_make_it_again(corpus: Path, tmp_path: Path) -> None:
    options = ["--rules+=slimlit.text.prepare.rules.NumStopWords", "--rules.least", "0", "--split", "{test: 0.2}"]
    assert main(["prepare", "--sources", str(corpus), "--output", str(tmp_path / "one"), *options]) == 0
    settings = tmp_path / "one" / "prepare.yaml"
    assert yaml.safe_load(settings.read_text())["near_duplicates"]["threshold"] == 0.8
    assert main(["prepare", "--config", str(settings), "--output", str(tmp_path / "two")]) == 0
    assert read(tmp_path / "one") == read(tmp_path / "two")


def test_the_report_can_be_read_and_the_picture_is_one(corpus: Path, tmp_path: Path) -> None:
    out = Preparation(str(corpus), str(tmp_path / "out")).run()
    assert "NearDuplicates                 20    9.39%" in (out / "report.txt").read_text()
    assert ElementTree.parse(out / "dropped.svg").getroot().tag.endswith("svg")


MEMORY = """
import sys
import slimlit.text.prepare.stages as stages
from slimlit.text.prepare import Preparation
stages.BLOCK_BYTES = 200_000
Preparation(sys.argv[1], sys.argv[2]).run()
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_four_times_the_text_takes_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for times in (1, 4):
        path = write(tmp_path / f"{times}.jsonl", texts(6, 400 * times, 500))
        done = apart(MEMORY, str(path), str(tmp_path / f"out{times}"))
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout.splitlines()[-1]))
    assert peaks[1] < peaks[0] + 1500  # KiB: the text grew by 3,300, the arrays of its documents by 12


def test_help_is_quick_to_come_and_imports_no_torch() -> None:
    code = "import sys, time; from slimlit.__main__ import main\ntry: main(['prepare', '--help'])\nexcept SystemExit: pass\n"
    code += "print(*{'torch', 'numpy', 'lightning', 'transformers'} & set(sys.modules)); print(time.process_time())"
    done = apart(code)
    modules, seconds = done.stdout.splitlines()[-2:]
    assert modules == ""
    assert float(seconds) < 0.6  # 0.17 on a quiet machine
    assert "example: slimlit prepare --config" in done.stdout
