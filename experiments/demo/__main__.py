"""From nothing to a distilled student and a private one: ``make demo``, or ``python -m experiments.demo``."""

import argparse
import subprocess
import sys
import time
from pathlib import Path

FILMS = Path("runs/film-sentences.tsv")
CANARIES = ("--config", "configs/fragments/canaries.yaml")
STEPS: tuple[tuple[str, ...], ...] = (
    ("download", "minilm", "rotten-tomatoes", "imdb"),
    ("fit", "--run", "teacher", "--config", "configs/teacher.yaml"),
    ("fit", "--run", "student", "--config", "configs/distil.yaml"),
    (
        "fit",
        "--run",
        "public",
        "--config",
        "configs/public.yaml",
        "--data.train",
        str(FILMS),
        "--data.max_length",
        "64",
    ),
    ("fit", "--run", "private", "--config", "configs/private.yaml", *CANARIES),
    ("test", "--run", "teacher"),
    ("test", "--run", "student"),
    ("test", "--run", "private"),
    ("audit", "--run", "private"),
)


def main() -> int:
    """Run the steps that are not done yet, showing each command, then the verdict."""
    argparse.ArgumentParser(prog="python -m experiments.demo", description=__doc__).parse_args()
    began = time.perf_counter()
    for step in STEPS:
        if is_done(step):
            print(f"(done before) slimlit {' '.join(step)}", flush=True)
            continue
        if str(FILMS) in step and not FILMS.exists():
            from experiments.privacy.accuracy.public_text import films, save

            print(f"\nsentences of the public IMDb reviews: {FILMS}", flush=True)
            save(FILMS, films())
        command = [*step, "--resume"] if is_begun(step) else list(step)
        print(f"\n$ python -m slimlit {' '.join(command)}", flush=True)
        code = subprocess.call([sys.executable, "-m", "slimlit", *command])
        if code:
            return code
    from experiments.demo.verdict import verdict

    print(verdict(Path("runs/teacher"), Path("runs/student"), Path("runs/private")))
    print(f"took {time.perf_counter() - began:.0f} s")
    return 0


def run_folder(step: tuple[str, ...]) -> Path:
    """The run directory a step works on."""
    return Path("runs") / step[2]


def is_done(step: tuple[str, ...]) -> bool:
    """Whether an earlier demo has finished this step."""
    if step[0] == "fit":
        return (run_folder(step) / "student" / "config.json").is_file()
    return step[0] in ("test", "audit") and (run_folder(step) / "reports" / f"{step[0]}.json").is_file()


def is_begun(step: tuple[str, ...]) -> bool:
    """Whether an earlier demo was stopped in this step."""
    return step[0] == "fit" and (run_folder(step) / "config.yaml").is_file()


if __name__ == "__main__":
    sys.exit(main())
