import subprocess
import sys
import time

import pytest

from slimlit.__main__ import main
from slimlit.privacy.accounting import noise_for

PLAN = ["budget", "--examples", "8530", "--batch-size", "256", "--epochs", "10"]


def test_noise_found_for_an_epsilon_gives_that_epsilon_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PLAN, "--epsilon", "3"]) == 0
    first = capsys.readouterr().out
    assert "334 steps" in first
    assert "at delta 1.17e-05" in first
    assert main([*PLAN, "--noise-multiplier", first.split()[2]]) == 0
    assert 2.99 < float(capsys.readouterr().out.split()[1]) <= 3.0


def test_torch_is_not_imported() -> None:
    code = "import sys; from slimlit.__main__ import main; main(sys.argv[1:]); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, *PLAN, "--epsilon", "3"], capture_output=True, text=True)
    assert done.stdout.endswith("False\n"), done.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["--epsilon", "0"], "epsilon is 0.0; expected a number above 0"),
        (["--epsilon", "1e-14", "--delta", "1e-10"], "no noise gives epsilon 1e-14"),
        (["--noise-multiplier", "-1"], "noise multiplier is -1.0"),
        (
            ["--epsilon", "1", "--batch-size", "9000"],
            "--batch-size is 9000; expected above 0, at most the 8,530 examples",
        ),
        (["--epsilon", "1", "--epochs", "0"], "--epochs is 0"),
        (["--epsilon", "1", "--examples", "0"], "--examples is 0"),
        (["--epsilon", "1", "--delta", "2"], "delta is 2.0"),
    ],
)
def test_a_plan_that_cannot_be_is_explained(changes: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PLAN, *changes]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert len(shown.splitlines()) <= 3


def test_a_delta_that_gives_an_example_away_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PLAN, "--epsilon", "3", "--delta", "1e-3"]) == 0
    assert "warning: at this delta" in capsys.readouterr().out


@pytest.mark.parametrize(
    "asked", [["--noise-multiplier", "0.001"], ["--noise-multiplier", "1e-9"], ["--epsilon", "1000000"]]
)
def test_next_to_no_noise_is_answered_without_a_traceback(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PLAN, *asked]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(("epsilon ", "noise multiplier "))
    assert shown.err == ""


def test_noise_for_a_million_examples_is_found_within_a_second_of_the_processor() -> None:
    start = time.process_time()
    assert 0.5 < noise_for(3.0, 1e-8, 256 / 1_000_000, 39_063) < 0.7
    assert time.process_time() - start < 2.0  # 0.4 on the machine it was made on
