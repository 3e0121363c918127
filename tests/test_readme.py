"""Every command of the README and of docs/ runs, in order, as it is written but for fewer batches; bundles are toys."""

import csv
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from slimlit import losses
from slimlit.__main__ import main
from slimlit.cli import SlimCLI
from slimlit.data.toy import toy_reviews, toy_translations, write_toy_translations
from slimlit.data.toy_dialogues import write_toy_dialogues
from slimlit.data.toy_tags import write_toy_sentences
from slimlit.models.toy import write_toy_translator
from tests.text.outputs import toy_page

ROOT = Path(__file__).parents[1]
SHORT = ["--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "2"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[list[str]]:
    lines = [line for block in blocks(page, "bash") for line in block.splitlines() if line.strip()]
    return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture(scope="module")
def workplace(toy_bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the README's reader has it: the repository's configs, a CSV, tagged sentences, the loss written to a file."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "configs").symlink_to(ROOT / "configs")
    with (folder / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("review", "stars"), *((r.text, r.label) for r in toy_reviews(80))])
    write_toy_translations(folder, num_train=40, num_other=4)
    write_toy_translator(folder / "vocabulary", max_positions=512)
    lines = [{"document": text, "summaries": [said]} for text, said in toy_translations(40)]
    (folder / "papers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "new.csv").write_text("review\nthe film was joyful\n")
    (folder / "texts").mkdir()
    for number in range(30):
        (folder / "texts" / f"{number:02d}.txt").write_text(f"{toy_page(number)}\n\n{toy_page(number + 100)}")
    write_toy_dialogues(folder / "dialogues.jsonl", 60)
    write_toy_sentences(folder / "toy", num_train=200, num_other=2)
    (folder / "toy" / "train.jsonl").rename(folder / "sentences.jsonl")
    (folder / "new.txt").write_text("the film was in the city with the director\n")
    source = blocks(ROOT / "README.md", "python")[0]
    (folder / "margins.py").write_text(source)
    return folder


def test_every_loss_stands_in_its_page() -> None:
    page = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
    assert [name for name in losses.__all__ if name != "Loss" and f"| `{name}(" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_runs(page: Path, workplace: Path, toy_bundles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMLIT_CACHE", str(toy_bundles))
    monkeypatch.chdir(workplace)
    monkeypatch.syspath_prepend(workplace)
    monkeypatch.setattr(SlimCLI, "loggers", lambda self: [])  # W&B has its own tests; this spares seconds a command
    goes_on = {"distil", "runs/distil"} & {word for line in commands(page) for word in line}
    if page != PAGES[0] and goes_on and not Path("runs/distil").is_dir():
        run_commands(PAGES[0], monkeypatch)  # another process of the suite read the README
    run_commands(page, monkeypatch)
    if page != PAGES[0]:  # whose Python is a loss, used by its commands
        for block in blocks(page, "python"):
            ran = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True)
            assert ran.returncode == 0, ran.stderr


def run_commands(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in commands(page):
        command = line[line.index("|") + 1 :] if "|" in line else line
        if command[0] == "make":
            done = subprocess.run([*command, "--dry-run"], cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, (command, done.stderr)
        elif command[:3] == ["python", "-m", "slimlit"]:
            if "two_processes" in " ".join(command):
                continue  # run by tests/test_first_path.py
            short = SHORT if command[3] == "fit" else []
            monkeypatch.setattr(sys, "stdin", io.StringIO("what colour is the sky?\n"))  # for chat
            assert main([*command[3:], *short]) == 0, command
        else:
            pytest.fail(f"a command no test knows how to run: {' '.join(command)}")


def test_the_readmes_config_is_one_fit_accepts(
    workplace: Path, toy_bundles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIMLIT_CACHE", str(toy_bundles))
    monkeypatch.chdir(workplace)
    (text,) = blocks(ROOT / "README.md", "yaml")
    assert set(yaml.safe_load(text)) == {"model", "data", "trainer"}
    Path("readme.yaml").write_text(text)
    assert main(["fit", "--config", "readme.yaml", "--print_config"]) == 0


def test_every_link_of_a_page_leads_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
            if link.endswith(".svg"):
                assert ElementTree.parse(page.parent / link).getroot().tag.endswith("svg"), link


def test_no_page_waits_to_be_filled() -> None:
    for page in PAGES:
        assert not re.findall(r"@[A-Z]+@", page.read_text(encoding="utf-8")), page.name
