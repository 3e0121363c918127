"""Parts fall silent while a student trains, and are cut out when it is written; bits are few when it is written."""

import json
import sys
from pathlib import Path

import pytest
import torch

from slimlit.__main__ import main
from slimlit.callbacks import GradualPruning, Quantise
from slimlit.compress import prune
from slimlit.compress.importance import by_weights
from slimlit.models import PreTrainedModel
from tests.compress.networks import make, run
from tests.compress.test_pruning import silenced
from tests.test_compress import TOY

STEPS = ["--wandb", "disabled", "--checkpoint.monitor", "null", "--trainer.limit_val_batches", "0"]
PRUNE = ["--trainer.callbacks+=slimlit.callbacks.GradualPruning", "--trainer.callbacks.heads=0.5"]
PRUNE += ["--trainer.callbacks.feed_forward=0.5", "--trainer.callbacks.every=2"]
BITS = ["--trainer.callbacks+=slimlit.callbacks.Quantise", "--trainer.callbacks.bits=8"]


@pytest.fixture(scope="module")
def workplace(toy_files: Path, toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gradual")
    (folder / "toy.yaml").write_text(TOY.format(files=toy_files, model=toy_model))
    return folder


@pytest.fixture(autouse=True)
def _there(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    monkeypatch.setattr(sys, "argv", ["slimlit"])


def test_the_student_is_written_with_smaller_matrices_and_few_bits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", "toy.yaml", "--run", "both", *STEPS, *PRUNE, *BITS]) == 0
    saved = json.loads(Path("runs/both/student/config.json").read_text())
    assert (saved["encoder"]["num_attention_heads"], saved["encoder"]["intermediate_size"], saved["head_dim"]) == (
        1,
        32,
        16,
    )
    assert saved["quantization_config"]["bits"] == 8
    capsys.readouterr()
    assert main(["test", "--run", "both", "--wandb", "disabled"]) == 0
    assert json.loads(Path("runs/both/reports/test.json").read_text())["test/accuracy"] > 0.9


def test_a_run_that_is_killed_and_resumed_silences_the_same_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = ["fit", "--config", "toy.yaml", *STEPS, *PRUNE, "--trainer.max_epochs", "-1", "--trainer.max_steps", "12"]
    assert main([*fit, "--run", "whole"]) == 0
    silence, calls = GradualPruning.silence, []

    def stop(self: GradualPruning, student: PreTrainedModel, share: float) -> None:
        calls.append(share)
        if len(calls) == 4:
            raise InterruptedError
        silence(self, student, share)

    with monkeypatch.context() as patch:
        patch.setattr(GradualPruning, "silence", stop)
        with pytest.raises(InterruptedError):
            main([*fit, "--run", "killed", "--checkpoint.every_n_steps", "3"])
    assert main(["fit", "--run", "killed", "--resume", "--wandb", "disabled"]) == 0
    one, other = (Path(f"runs/{name}/student/model.safetensors").read_bytes() for name in ("whole", "killed"))
    assert one == other


def test_what_is_silent_stays_silent_and_the_cut_says_the_same() -> None:
    network, pruning = make("classifier"), GradualPruning(heads=0.5, feed_forward=0.5)
    pruning.scores = {key: score.float() for key, score in by_weights(network).parts.items() if key != "hidden"}
    silent: set[tuple[str, int]] = set()
    for share in (0.3, 0.6, 1.0):
        pruning.silence(network, share)
        now = {
            (key, place) for key, mask in pruning.masks.items() for place in (mask == 0).nonzero().flatten().tolist()
        }
        assert silent <= now
        silent = now
        pruning.scores = {key: score.flip(0) for key, score in pruning.scores.items()}
    plan = pruning.plan()
    assert {len(kept) for kept in plan.heads.values()} == {2}
    assert {len(kept) for kept in plan.feed_forward.values()} == {6}
    quiet = silenced(network, {**plan.heads, **plan.feed_forward})
    torch.testing.assert_close(run(prune(network, plan)), run(quiet), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([*PRUNE[:2]], "set checkpoint.monitor to null"),
        ([*PRUNE[:1]], "GradualPruning has nothing to take away"),
        (
            [*BITS[:1], "--trainer.callbacks.bits=4", "--trainer.callbacks.activations=int8"],
            "Quantise.activations int8 goes with 8 bits",
        ),
    ],
)
def test_what_does_not_go_together_is_told(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", "toy.yaml", "--run", "none", "--wandb", "disabled", *options]) == 2
    assert message in capsys.readouterr().err
    assert not Path("runs/none").exists()


def test_a_private_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    private = ["--trainer.callbacks+=slimlit.callbacks.DifferentialPrivacy", "--trainer.callbacks.epsilon=3.0"]
    for options, message in ((PRUNE, "GradualPruning reads the gradients"), (BITS, "Quantise does not go with")):
        assert main(["fit", "--config", "toy.yaml", "--run", "none", *STEPS, *private, *options]) == 2
        assert message in capsys.readouterr().err
    assert Quantise(4).bits == 4
