import subprocess
import sys
from pathlib import Path

import pytest

from slimlit.__main__ import VERBS, main

HEAVY = {"torch", "lightning", "transformers", "jsonargparse", "numpy", "wandb"}


def run_apart(*arguments: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    code = (
        "import sys; from slimlit.__main__ import main; status = main(sys.argv[1:]);"
        "print('MODULES', *{name.split('.')[0] for name in sys.modules}); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    return done, set(done.stdout.split("MODULES")[1].split())


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 0, "usage: slimlit VERB"),
        (["--help"], 0, "usage: slimlit VERB"),
        (["--version"], 0, "slimlit 0."),
        (["tset"], 2, "did you mean 'test'?"),
        (["test", "--run", "nothing"], 2, "no run 'nothing'"),
        (["fit", "--config", "nothing.yaml"], 2, "no such file: nothing.yaml"),
    ],
)
def test_what_needs_no_torch_does_not_import_it(
    arguments: list[str], status: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done, modules = run_apart(*arguments)
    assert done.returncode == status
    assert said in done.stdout + done.stderr
    assert not modules & HEAVY


def test_the_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {verb} " in shown for verb in VERBS)


def test_an_option_in_the_place_of_the_verb_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", "x.yaml"]) == 2
    assert "a verb comes first" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict", "audit", "explain", "export"])
def test_each_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"example: slimlit {verb} --" in shown
    assert "--checkpoint.every_n_steps" in shown


@pytest.mark.parametrize("verb", ["validate", "test", "predict", "audit", "explain", "export"])
def test_a_verb_without_its_run_says_what_to_type(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb]) == 2
    assert f"for example: slimlit {verb} --run first" in capsys.readouterr().err
