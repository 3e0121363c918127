"""``slimlit export``: a run leaves as files that say the same in their own runtime, or not at all."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from transformers import AutoConfig, PreTrainedModel

from slimlit.__main__ import main
from slimlit.compress import quantise
from slimlit.export import extras, gate
from slimlit.export.hub_folder import load_folder, write_hub
from slimlit.models import SequenceClassifier, SequenceClassifierConfig
from slimlit.models.pretrained import quiet_files
from slimlit.models.quantised import restore_modules


@pytest.fixture(autouse=True)
def _there(toy_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(toy_run)
    monkeypatch.setattr(sys, "argv", ["slimlit"])


def export(*options: str) -> int:
    return main(["export", "--run", "first", *options])


def wrongly_restored(network: PreTrainedModel) -> None:
    restore_modules(network)
    with torch.no_grad():
        network.get_input_embeddings().weight.mul_(-1)


def test_the_hub_folder_says_the_same_without_us_and_tells_what_it_is() -> None:
    assert export("--to", "hub", "--licence", "apache-2.0") == 0
    folder = Path("runs/first/export/hub")
    network = load_folder(folder, "sequence_classification")
    assert not isinstance(network, SequenceClassifier)
    ours = SequenceClassifier.from_pretrained("runs/first/student").eval()
    ids = torch.randint(5, 100, (3, 9))
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    with torch.inference_mode():
        for name, array in network(input_ids=ids, attention_mask=mask).items():
            assert torch.equal(array, ours(input_ids=ids, attention_mask=mask)[name])
    page = (folder / "README.md").read_text()
    head = yaml.safe_load(page.split("---")[1])
    assert (head["license"], head["pipeline_tag"]) == ("apache-2.0", "text-classification")
    assert all(f"## {part}\n" in page for part in ("Use", "Made of", "How good", "Privacy", "Explanations", "Limits"))
    assert "language" not in head  # that of its texts is not known
    assert "trust_remote_code=True" in page
    card = json.loads(Path("runs/first/reports/export-hub.json").read_text())
    assert card["measures"]["greatest difference"] == 0.0
    assert "| hub |" in Path("runs/first/reports/exports.md").read_text()


def test_an_export_that_says_something_else_is_not_kept_and_ends_with_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "LEAST_COSINE", 1.1)
    assert export("--to", "hub", "--output", "elsewhere/hub") == 1
    assert "its least cosine is 1.0000; expected 1.1 or more (--allow cosine" in capsys.readouterr().err
    assert not Path("elsewhere").exists()
    assert export("--to", "hub", "--output", "elsewhere/hub", "--allow", "cosine") == 0
    assert json.loads(Path("elsewhere/hub/card.json").read_text())["allowed"] == ["cosine"]


def test_onnx_int8_says_the_same_in_its_runtime_pooling_weights_too_and_runs_without_us(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("onnxruntime", reason="needs slimlit[onnx]")
    pytest.importorskip("onnxscript", reason="needs slimlit[onnx]")
    from slimlit.export import onnx_int8

    monkeypatch.setattr(onnx_int8, "LEAST_SIZE", 64)
    assert export("--to", "onnx", "--precision", "int8") == 0
    card = json.loads(Path("runs/first/reports/export-onnx-int8.json").read_text())
    assert card["measures"]["least cosine"] > 0.999
    assert card["measures"]["greatest difference"] > 0
    assert 0 < card["measures"]["greatest difference of pooling weights"] < 0.05
    assert card["texts"]["with padding"] > 0
    assert card["files"]["model.onnx"] < 0.9 * Path("runs/first/student/model.safetensors").stat().st_size
    program = [sys.executable, "runs/first/export/onnx-int8/use.py", "the film was joyful"]
    ran = subprocess.run(program, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[0] in ("negative", "positive")
    assert "joyful" in ran.stdout


def test_an_unknown_target_a_wrong_precision_and_a_wrong_allowance_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert export("--to", "onxx") == 2
    assert "did you mean 'onnx'?" in capsys.readouterr().err
    assert export() == 2
    assert "export needs a target" in capsys.readouterr().err
    assert export("--to", "hub", "--precision", "int8") == 2
    assert "hub is not written in int8" in capsys.readouterr().err
    assert export("--to", "hub", "--allow", "everything") == 2
    assert "expected any of: cosine" in capsys.readouterr().err


def test_a_missing_extra_is_told_with_the_line_to_type(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    assert export("--to", "openvino") == 2
    assert 'pip install "slimlit[openvino]"' in capsys.readouterr().err
    assert not Path("runs/first/export/openvino").exists()


def test_a_folder_that_is_no_export_is_never_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir(exist_ok=True)
    Path("mine/thesis.txt").write_text("years of work")
    assert export("--to", "hub", "--output", "mine") == 2
    assert "slimlit export did not write it" in capsys.readouterr().err
    assert [path.name for path in Path("mine").iterdir()] == ["thesis.txt"]


def test_damaged_weights_are_told_and_nothing_is_half_written(capsys: pytest.CaptureFixture[str]) -> None:
    weights = Path("runs/first/student/model.safetensors")
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    try:
        assert export("--to", "hub", "--output", "damaged") == 2
    finally:
        weights.write_bytes(whole)
    assert "damaged" in capsys.readouterr().err
    assert not list(Path(".").glob("damaged*"))


def test_a_run_that_never_finished_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs/first/student").rename("runs/first/aside")
    try:
        assert export("--to", "hub") == 2
    finally:
        Path("runs/first/aside").rename("runs/first/student")
    assert "is not finished" in capsys.readouterr().err


def test_a_classifier_of_fewer_heads_says_the_same_without_us(tmp_path: Path) -> None:
    encoder = AutoConfig.for_model(
        "bert", vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=3, intermediate_size=16
    )
    ours = SequenceClassifier(SequenceClassifierConfig(encoder=encoder, head_dim=8, num_labels=2)).eval()
    ours.save_pretrained(tmp_path / "student")
    write_hub(ours, tmp_path / "student", tmp_path / "hub")
    network, ids = load_folder(tmp_path / "hub", "sequence_classification"), torch.randint(5, 40, (3, 9))
    assert not isinstance(network, SequenceClassifier)
    with torch.inference_mode():
        assert torch.equal(network(input_ids=ids).logits, ours(input_ids=ids).logits)


def test_few_texts_are_told_as_weak_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    assert export("--to", "hub", "--output", "few", "--max_texts", "1") == 0
    assert "weak evidence: it was checked on 1 validation text; 256" in capsys.readouterr().err
    assert "- Weak evidence: it was checked on 1 validation text;" in Path("few/README.md").read_text()


def test_a_run_whose_weights_are_rounded_leaves_with_plain_weights_that_say_the_same_as_it_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = torch.randint(5, 100, (3, 9))
    student = Path("runs/first/student")
    shutil.copytree(student, "aside")
    try:
        with quiet_files():
            rounded = quantise(SequenceClassifier.from_pretrained(student).eval())
            rounded.save_pretrained(student)
        assert export("--to", "hub", "--output", "rounded") == 0
        assert "weights of 8 bits (" in capsys.readouterr().err
        monkeypatch.setattr("slimlit.exporter.restore_modules", wrongly_restored)
        assert export("--to", "hub", "--output", "wrong") == 1
    finally:
        shutil.rmtree(student)
        Path("aside").rename(student)
    assert "quantization_config" not in json.loads(Path("rounded/config.json").read_text())
    network = load_folder(Path("rounded"), "sequence_classification")
    with torch.inference_mode():
        torch.testing.assert_close(network(input_ids=ids).logits, rounded(input_ids=ids).logits, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("target", "package"), [("openvino", "openvino"), ("executorch", "executorch")])
def test_openvino_and_executorch_say_the_same_in_their_runtimes(target: str, package: str) -> None:
    pytest.importorskip(package, reason=f"needs slimlit[{target}]")
    for precision in (
        "fp32",
        "int8",
    ):  # in a process of its own: ExecuTorch traces with numbers in the place of tensors
        options = ["--run", "first", "--to", target, "--precision", precision, "--max_texts", "16"]
        made = subprocess.run([sys.executable, "-m", "slimlit", "export", *options], capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
    card = json.loads(Path(f"runs/first/reports/export-{target}.json").read_text())
    assert card["measures"]["greatest difference"] < 1e-4
    assert card["measures"]["greatest difference of pooling weights"] < 1e-4
    program = [sys.executable, f"runs/first/export/{target}/use.py", "the film was joyful"]
    ran = subprocess.run(program, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[0] in ("negative", "positive")
