"""Every config we ship runs, as it is, to its first optimizer steps."""

import json
from pathlib import Path

import pytest

from slimlit.__main__ import main
from slimlit.data.toy import toy_translations, write_toy_translations
from slimlit.data.toy_dialogues import write_toy_dialogues
from slimlit.data.toy_tags import write_toy_sentences
from slimlit.models.toy import write_toy_translator
from tests.text.outputs import toy_page

CONFIGS = Path(__file__).parents[1] / "configs"
SHORT = ["--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1", "--trainer.max_epochs", "1"]
CHINESE = ["--model.student.source", "minilm", "--data.tokenizer", "minilm"]  # the toy model reads Chinese


@pytest.fixture(autouse=True)
def _in_a_folder_with_toys(toy_bundles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMLIT_CACHE", str(toy_bundles))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(CONFIGS)


def fit(*arguments: str) -> None:
    assert main(["fit", *arguments, *SHORT, "--wandb", "disabled"]) == 0


def test_every_config_is_run_by_a_test() -> None:
    tested = {
        "teacher",
        "distil",
        "chinese",
        "relations",
        "hidden_states",
        "mask_stop_words",
        "narrow",
        "two_processes",
        "private",
        "public",
        "canaries",
        "gradual",
        "slimpajama",
        "gopher",
        "tokens",
        "dialogue",
        "distil_dialogue",
        "on_policy",
        "tagging",
        "distil_tagging",
        "teacher_tokenizer",
        "pretrain_clm",
        "pretrain_mlm",
        "distil_clm",
        "translation",
        "distil_translation",
        "summaries",
    }
    assert {path.stem for path in CONFIGS.rglob("*.yaml")} == tested


def test_the_chinese_config_runs() -> None:
    fit("--config", "configs/chinese.yaml", *CHINESE)
    assert Path("runs/chinese/student/config.json").is_file()


def test_teacher_and_every_way_to_distil_it_run() -> None:
    fit("--config", "configs/teacher.yaml")
    fit("--config", "configs/distil.yaml")
    for fragment in ("relations", "hidden_states", "mask_stop_words", "narrow"):
        fit("--config", "configs/distil.yaml", "--config", f"configs/fragments/{fragment}.yaml")
        metrics = Path(f"runs/{fragment}/metrics.csv").read_text()
        assert "validation/agreement" in metrics.splitlines()[0]


def test_dialogue_models_are_taught_and_grade_what_their_students_write() -> None:
    write_toy_dialogues(Path("dialogues.jsonl"), 60)
    fit("--config", "configs/dialogue.yaml")
    fit("--config", "configs/distil_dialogue.yaml")
    fit("--config", "configs/distil_dialogue.yaml", "--config", "configs/fragments/on_policy.yaml")
    assert "validation/agreement" in Path("runs/on_policy/metrics.csv").read_text().splitlines()[0]


@pytest.fixture
def sentences(tmp_path: Path) -> None:
    write_toy_sentences(tmp_path / "toy", num_train=200, num_other=2)
    (tmp_path / "toy" / "train.jsonl").rename(tmp_path / "sentences.jsonl")


@pytest.mark.usefixtures("sentences")
def test_taggers_are_trained_and_distilled_also_into_other_tokens_and_privately() -> None:
    fit("--config", "configs/tagging.yaml")
    fit("--config", "configs/distil_tagging.yaml")
    fit("--config", "configs/distil_tagging.yaml", "--config", "configs/fragments/teacher_tokenizer.yaml")
    fit("--config", "configs/tagging.yaml", "--config", "configs/fragments/private.yaml", "--run", "private")
    for run in ("distil_tagging", "teacher_tokenizer"):
        assert "validation/agreement" in Path(f"runs/{run}/metrics.csv").read_text().splitlines()[0]
        assert Path(f"runs/{run}/reports/validation-entities.tsv").is_file()
    ledger = json.loads(Path("runs/private/privacy.json").read_text())
    assert 0 < ledger["data"][0]["epsilon"] <= 3.0


def test_heads_are_taken_away_with_one_fragment_more() -> None:
    fit("--config", "configs/teacher.yaml", "--config", "configs/fragments/gradual.yaml", "--run", "gradual")
    assert json.loads(Path("runs/gradual/student/config.json").read_text())["encoder"]["num_attention_heads"] == 2


def test_canaries_are_planted_with_one_fragment_more() -> None:
    fit("--config", "configs/teacher.yaml", "--config", "configs/fragments/canaries.yaml", "--run", "watched")
    report = json.loads(Path("runs/watched/reports/data.json").read_text())
    assert report["canaries"]["drawn"] == 500
    ledger = json.loads(Path("runs/watched/privacy.json").read_text())
    assert ledger["stages"][0]["why"] == "trained without noise; 500 canaries drawn"


@pytest.mark.parametrize("recipe", ["slimpajama", "gopher"])
def test_every_recipe_prepares_texts(recipe: str) -> None:
    pages = [f"{toy_page(number)}\n\n{toy_page(number + 100)}" for number in range(20)]
    lines = [json.dumps({"text": text}) for text in [*pages, pages[0].upper(), "The end of it."]]
    Path("pages.jsonl").write_text("\n".join(lines))
    config = ["--config", f"configs/prepare/{recipe}.yaml", "--sources", "pages.jsonl"]
    assert main(["prepare", *config, "--output", "pages"]) == 0
    report = json.loads(Path("pages/report.json").read_text())
    taken = {rule: one["documents"] for rule, one in report["dropped"].items() if one["documents"]}
    assert taken == {"NumCharacters": 1, "NearDuplicates": 1}


def test_the_recipe_for_tokens_ends_in_shards() -> None:
    lines = [json.dumps({"text": toy_page(number)}) for number in range(40)]
    Path("pages.jsonl").write_text("\n".join(lines))
    config = ["--config", "configs/prepare/tokens.yaml", "--sources", "pages.jsonl", "--tokenizer.vocab_size", "400"]
    assert main(["prepare", *config, "--output", "pages"]) == 0
    report = json.loads(Path("pages/report.json").read_text())
    assert report["tokenizer"]["tokens"] == 400
    assert report["shards"]["parts"]["train"]["documents"] == len(
        Path("pages/train/part-00000.jsonl").read_text().splitlines()
    )


def test_a_head_is_trained_privately_on_a_public_encoder() -> None:
    fit("--config", "configs/public.yaml")
    fit("--config", "configs/private.yaml", "--run", "student")
    ledger = json.loads(Path("runs/student/privacy.json").read_text())
    assert {stage["run"]: stage["steps"] is None for stage in ledger["stages"]} == {"public": True, "student": False}


def test_any_config_trains_privately_with_one_fragment_more() -> None:
    fit("--config", "configs/teacher.yaml", "--config", "configs/fragments/private.yaml", "--run", "teacher")
    fit("--config", "configs/distil.yaml", "--config", "configs/fragments/private.yaml", "--run", "student")
    ledger = json.loads(Path("runs/student/privacy.json").read_text())
    assert [entry["split"] for entry in ledger["data"]] == ["train"]
    assert ledger["data"][0]["stages"] == ["training of teacher", "training of student"]
    assert 0 < ledger["data"][0]["epsilon"] < 6
    assert "epsilon" in Path("runs/student/student/PRIVACY.md").read_text()


@pytest.mark.parametrize("name", ["pretrain_clm", "pretrain_mlm", "distil_clm"])
def test_language_models_are_pretrained_and_distilled(name: str) -> None:
    fit("--config", f"configs/{name}.yaml")
    metrics = Path(f"runs/{name}/metrics.csv").read_text().splitlines()[0]
    assert "validation/perplexity" in metrics
    assert ("validation/divergence" in metrics) == name.startswith("distil")
    assert Path(f"runs/{name}/student/model.safetensors").is_file()


def test_a_translator_and_both_ways_to_distil_it_run() -> None:
    write_toy_translations(Path(), num_train=40, num_other=4)
    write_toy_translator(Path("vocabulary"), max_positions=512)
    fit("--config", "configs/translation.yaml")
    fit("--config", "configs/distil_translation.yaml")
    header = Path("runs/distil_translation/metrics.csv").read_text().splitlines()[0]
    assert {"validation/bleu", "validation/agreement"} <= set(header.split(","))
    assert Path("runs/distil_translation/reports/validation-outputs.tsv").is_file()


def test_summaries_with_several_references_run() -> None:
    write_toy_translator(Path("vocabulary"), max_positions=512)
    lines = [{"document": text, "summaries": [said, text]} for text, said in toy_translations(40)]
    Path("papers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    fit("--config", "configs/summaries.yaml")
    assert "validation/rougeL" in Path("runs/summaries/metrics.csv").read_text().splitlines()[0]
