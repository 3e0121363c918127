"""The last stages of ``slimlit prepare``: a tokenizer of the training part alone, and shards that decode to the kept texts."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from slimlit.__main__ import main
from slimlit.data import LanguageModelling, TextClassification
from slimlit.models.tokenizers import load_tokenizer
from slimlit.privacy.ledger import Ledger
from slimlit.text.clean import clean
from slimlit.text.prepare import Preparation
from slimlit.text.prepare.token_settings import TokenShards, TrainedTokenizer
from slimlit.text.tokens.encoder import Encoder
from slimlit.text.tokens.shards import Shards
from slimlit.text.tokens.tokenizer_training import Kind, train_tokenizer
from tests.text.outputs import read, toy_page

SPLIT = {"validation": 0.1, "test": 0.1}
SMALL: dict[str, Any] = {
    "split": SPLIT,
    "tokenizer": TrainedTokenizer(vocab_size=300),
    "shards": TokenShards(None, 2000),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pages with accents and line ends, each twice."""
    texts = [f"{toy_page(number)}\nnaïve café {number}\r\n\r\n{toy_page(number + 100)}" for number in range(60)]
    path = tmp_path_factory.mktemp("pages") / "pages.jsonl"
    path.write_text(
        "".join(json.dumps({"text": text, "label": len(text.replace("\r\n", "\n")) % 2}) + "\n" for text in texts * 2)
    )
    return path


@pytest.fixture(scope="module")
def prepared(pages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Preparation(str(pages), str(tmp_path_factory.mktemp("prepared") / "out"), **SMALL).run()


def kept(folder: Path, part: str) -> list[str]:
    files = sorted((folder / part).iterdir())
    return [json.loads(line)["text"] for file in files for line in file.read_text().splitlines()]


def test_documents_read_back_from_the_shards_decode_to_the_kept_texts(prepared: Path) -> None:
    tokenizer = load_tokenizer(str(prepared / "tokenizer"))
    fingerprint = Encoder(tokenizer.backend_tokenizer, fast=False).fingerprint
    for part in ("train", "validation", "test"):
        shards = Shards(prepared / "shards" / part, fingerprint)
        documents = [shards.document(number).tolist() for number in range(len(shards))]
        assert {document.pop() for document in documents} == {tokenizer.eos_token_id}
        assert [tokenizer.decode(document) for document in documents] == kept(prepared, part) != []
        shards.verify()


def test_the_report_tells_the_way_and_the_tokens_and_the_manifest_names_the_files(prepared: Path) -> None:
    report = json.loads((prepared / "report.json").read_text())
    train = report["shards"]["parts"]["train"]
    shards = Shards(prepared / "shards" / "train")
    num_bytes = sum(len(text.encode()) for text in kept(prepared, "train"))
    assert (train["documents"], train["tokens"], train["bytes"]) == (len(shards), shards.num_tokens, num_bytes)
    assert train["tokens per byte"] == round(shards.num_tokens / num_bytes, 4)
    assert report["shards"]["way"] == "tiktoken"
    told = (prepared / "report.txt").read_text()
    assert "tokenizer: bpe, 300 tokens, of" in told
    assert "encoded by tiktoken" in told
    manifest = json.loads((prepared / "files.json").read_text())
    written = set(manifest["files"])
    assert {"tokenizer/tokenizer.json", "tokenizer/privacy.json", "shards/test/tokens-00000.npy"} <= written
    assert written | set(manifest["reports"]) | {"files.json"} == set(read(prepared))


def tokens(out: Path) -> dict[str, bytes]:
    """The files of shards, but for those with a key of the machine's: each test has one of its own."""
    return {name: content for name, content in read(out / "shards").items() if not name.endswith("texts.json")}


def test_the_tokenizer_is_made_of_the_kept_training_part_only(pages: Path, prepared: Path, tmp_path: Path) -> None:
    train_tokenizer(kept(prepared, "train"), "bpe", 300, tmp_path / "tokenizer", source=str(prepared))
    alone, made = read(tmp_path / "tokenizer"), read(prepared / "tokenizer")
    del alone["privacy.json"], made["privacy.json"]  # each test has a key of its own for fingerprints
    assert alone == made
    (reading, stage) = Ledger.read(prepared / "tokenizer" / "privacy.json").stages
    assert (reading.kind, reading.source, reading.steps) == ("reading", str(pages), [])
    assert (stage.kind, stage.split, stage.num_units) == ("vocabulary", "train", len(kept(prepared, "train")))
    assert stage.steps is None


def test_what_is_written_can_be_trained_on(prepared: Path) -> None:
    folder = str(prepared)
    data = TextClassification(folder, str(prepared / "tokenizer"), validation=folder, test=folder)
    data.setup("fit")
    data.setup("test")
    assert data.labels == ["0", "1"]
    for part in ("train", "validation", "test"):
        texts = kept(prepared, part)
        assert data.splits[part].texts == [clean(text) for text in texts]
        assert [data.example(part, row)["label"] for row in range(len(texts))] == [str(len(text) % 2) for text in texts]


def test_a_language_is_learnt_from_the_parts_and_from_their_shards(prepared: Path) -> None:
    for source in (prepared, prepared / "shards"):
        data = LanguageModelling(str(source), str(prepared / "tokenizer"), max_length=64)
        data.setup("fit")
        data.setup("test")
        for part in ("train", "validation", "test"):
            assert data.report[part]["documents"] == len(kept(prepared, part))


def test_another_tokenizer_can_be_named_and_puts_its_own_borders(pages: Path, prepared: Path, tmp_path: Path) -> None:
    train_tokenizer(kept(prepared, "train"), "wordpiece", 200, tmp_path / "words")
    shards = TokenShards(str(tmp_path / "words"))
    out = Preparation(str(pages), str(tmp_path / "out"), split=SPLIT, shards=shards).run()
    tokenizer = load_tokenizer(str(tmp_path / "words"))
    found = Shards(out / "shards" / "validation")
    assert [found.document(number).tolist() for number in range(len(found))] == [
        tokenizer(text).input_ids for text in kept(out, "validation")
    ]
    assert not (out / "tokenizer").exists()


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
import slimlit.text.prepare.token_stages
from slimlit.text.prepare import Preparation
from slimlit.text.prepare.stages import Work
from tests.text.outputs import read
from slimlit.text.prepare.token_settings import TokenShards, TrainedTokenizer
def run():
    tokens = {"tokenizer": TrainedTokenizer(vocab_size=300), "shards": TokenShards(None, 12_000)}
    Preparation(sys.argv[1], str(out), split={"validation": 0.1, "test": 0.1}, **tokens).run()
out = Path(sys.argv[2])
work, begun = out.with_name(out.name + ".unfinished"), out.with_name("begun")
run()
whole = read(out)
shutil.rmtree(out)
train = Work.train_tokenizer
Work.train_tokenizer = lambda self: 1 / 0  # stopped after the parts
try:
    run()
except ZeroDivisionError:
    work.rename(begun)
Work.train_tokenizer = train
rename, kills = os.replace, 0
for moment in range(1, 1000, 2):  # killed at that file that would be put in place, then gone on
    shutil.copytree(begun, work)
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
        run()
        os._exit(0)
    ended = os.waitpid(child, 0)[1]
    if not ended:
        break
    kills += 1
    assert not out.exists(), "half-written"
    run()
    assert read(out) == whole, moment
    assert not work.exists()
    shutil.rmtree(out)
print(kills)
"""


def test_a_run_killed_at_any_moment_of_the_last_stages_goes_on_to_the_same_bytes(pages: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, "-c", KILLED, str(pages), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) > 6


def test_a_vocabulary_that_does_not_fit_can_be_changed_without_reading_anew(
    pages: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = str(tmp_path / "out")
    with pytest.raises(ValueError, match="make a vocabulary of .* tokens, not 9,000"):
        Preparation(str(pages), out, **{**SMALL, "tokenizer": TrainedTokenizer(vocab_size=9000)}).run()
    monkeypatch.setattr("slimlit.text.prepare.stages.Work.read", lambda self: 1 / 0)
    with pytest.raises(ValueError, match="was begun with other settings: shards"):
        Preparation(str(pages), out, **{**SMALL, "shards": None}).run()
    with monkeypatch.context() as patch:
        patch.setattr("slimlit.text.prepare.stages.Work.write_shards", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            Preparation(str(pages), out, **SMALL).run()
    with pytest.raises(ValueError, match="has its tokenizer already, with other settings"):
        Preparation(str(pages), out, **{**SMALL, "tokenizer": TrainedTokenizer(vocab_size=301)}).run()
    Preparation(str(pages), out, **SMALL).run()
    assert tokens(Path(out)) == tokens(prepared)


def test_shards_begun_with_other_settings_are_written_anew(
    pages: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = str(tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr("slimlit.text.prepare.stages.Work.report", lambda self, found: 1 / 0)
        patch.setattr("slimlit.text.prepare.workplace.Workplace.finish_stage", _all_but_shards)
        with pytest.raises(ZeroDivisionError):
            Preparation(str(pages), out, **{**SMALL, "shards": TokenShards(None, 500)}).run()
    Preparation(str(pages), out, **SMALL).run()
    assert tokens(Path(out)) == tokens(prepared)


def _all_but_shards(self: Any, stage: str, report: dict[str, Any]) -> None:
    if stage != "shards":
        (self.folder / "stages").mkdir(exist_ok=True)
        (self.folder / "stages" / f"{stage}.json").write_text(json.dumps(report))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--shards", "{shard_tokens: 100}"], "shards need a tokenizer\nname one"),
        (["--shards.tokenizer", "/no/such/folder"], "no tokenizer at '/no/such/folder'"),
        (["--tokenizer", "{kind: bpe, lowercase: true}"], "lowercase has no effect on kind 'bpe'"),
        (["--tokenizer.kind", "bype"], "bype"),
        (["--shards", "{tokenizer: x, shard_tokens: 0}"], "shard_tokens is 0"),
    ],
)
def test_a_mistake_is_told_before_anything_is_read(
    options: list[str], said: str, pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", "--sources", str(pages), "--output", str(tmp_path / "out"), *options]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) <= 4
    assert not list(tmp_path.iterdir())


def test_the_settings_written_beside_the_data_make_its_tokens_again(prepared: Path, tmp_path: Path) -> None:
    settings = prepared / "prepare.yaml"
    assert yaml.safe_load(settings.read_text())["tokenizer"]["kind"] == "bpe"
    assert main(["prepare", "--config", str(settings), "--output", str(tmp_path / "again")]) == 0
    assert tokens(tmp_path / "again") == tokens(prepared)


def test_the_kinds_are_those_that_can_be_trained() -> None:
    assert get_args(TrainedTokenizer.__dataclass_fields__["kind"].type) == get_args(Kind)
