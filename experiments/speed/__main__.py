"""``python -m experiments.speed``: slimlit, its peers and the floor on one job, in turn; ``--step-overhead`` for small steps."""

import argparse
import os
import sys
from pathlib import Path

PASSIVE = "OMP_WAIT_POLICY"  # else idle threads of a busy machine spin, and their CPU seconds count


def main() -> int:
    """Parse, measure, print a table, write the results."""
    from experiments.speed.contestants import NAMES

    parser = argparse.ArgumentParser(prog="python -m experiments.speed", description=__doc__)
    parser.add_argument("--teacher", default="runs/teacher", help="a fine-tuned classifier: a run or a folder")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES), help="contestants")
    parser.add_argument("--rounds", type=int, default=1, help="times that everybody runs, in turn")
    parser.add_argument("--sentences", type=int, default=384, help="training sentences")
    parser.add_argument("--held-out", type=int, default=1000, help="sentences to score on")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, help="default: 32; with --step-overhead 4")
    parser.add_argument("--max-length", type=int, default=64, help="tokens")
    parser.add_argument("--hidden-size", type=int, help="width of the student; default: the teacher's")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", type=Path, default=Path("/tmp/peers"), help="virtual environment of the peers")
    parser.add_argument(
        "--step-overhead", action="store_true", help="bare loop, stock Lightning and slimlit at batch 4"
    )
    parser.add_argument("--steps", type=int, default=90, help="of --step-overhead, a contestant and round")
    parser.add_argument("--results", type=Path, default=Path(__file__).with_name("results.json"))
    arguments = parser.parse_args()
    os.environ.setdefault(PASSIVE, "PASSIVE")
    from experiments.speed import match, report

    part = "steps" if arguments.step_overhead else "job"
    found = match.steps(arguments) if arguments.step_overhead else match.job(arguments)
    command = " ".join(["python -m experiments.speed", *sys.argv[1:]])
    report.keep(arguments.results, part, {**report.circumstances(command), "contestants": found})
    print(report.steps_table(found) if arguments.step_overhead else report.job_table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
