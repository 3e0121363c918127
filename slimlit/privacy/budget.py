"""``slimlit budget``: the noise that an epsilon takes, the epsilon that noise gives, and what runs have cost; without torch."""

import argparse
import math
import sys
from dataclasses import replace

from slimlit import runs
from slimlit.privacy.accounting import NoisySteps, epsilon_of, noise_for
from slimlit.privacy.journal import Journal
from slimlit.privacy.ledger import Ledger, Stage, shown, total
from slimlit.privacy.selection import epsilon_of_best
from slimlit.runs import Run

EXAMPLE = "slimlit budget --examples 8530 --batch-size 256 --epochs 10 --epsilon 3"


def budget(arguments: list[str]) -> int:
    """The verb ``budget``; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="slimlit budget",
        description="Noise for an epsilon, or epsilon for noise, of training by DP-SGD with Poisson sampling; "
        "or what runs have cost each data set, their teachers included.",
        epilog=f"example: {EXAMPLE}\nexample: slimlit budget --run private",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--run", action="append", help="a run, finished or not; several are counted together")
    parser.add_argument("--runs", default="runs", help="folder that holds the runs")
    parser.add_argument("--examples", type=int, help="training examples")
    parser.add_argument("--batch-size", type=float, help="examples of a batch, expected")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=float, help="each of examples / batch size steps, rounded up")
    length.add_argument("--steps", type=int, help="optimizer steps")
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("--epsilon", type=float, help="find the noise for it")
    wanted.add_argument("--noise-multiplier", type=float, help="find the epsilon: noise over the clipping norm")
    parser.add_argument("--delta", type=float, help="default: a tenth of one over the examples")
    parser.add_argument(
        "--tuning-runs",
        type=float,
        help="publish only the best of K such runs, K drawn from a Poisson law of this mean",
    )
    asked = parser.parse_args(arguments)
    try:
        print(_of_runs(asked) if asked.run else _of_plan(asked))
    except ValueError as mistake:
        print(f"error: {mistake}\nexample: {EXAMPLE}", file=sys.stderr)
        return 2
    return 0


def _of_plan(asked: argparse.Namespace) -> str:
    given = {
        "--examples": asked.examples,
        "--batch-size": asked.batch_size,
        "--epochs or --steps": asked.epochs or asked.steps,
    }
    given["--epsilon or --noise-multiplier"] = (
        asked.epsilon if asked.noise_multiplier is None else asked.noise_multiplier
    )
    lacking = [name for name, value in given.items() if value is None]
    if asked.epochs is not None:
        lacking = [name for name in lacking if not name.startswith("--epochs")]
    if lacking:
        raise ValueError(f"a plan needs {', '.join(lacking)} (or name runs: --run NAME)")
    if asked.examples < 1:
        raise ValueError(f"--examples is {asked.examples}; expected 1 or more")
    if not 0 < asked.batch_size <= asked.examples:
        raise ValueError(
            f"--batch-size is {asked.batch_size:g}; expected above 0, at most the {asked.examples:,} examples"
        )
    if asked.epochs is not None and not 0 < asked.epochs < math.inf:
        raise ValueError(f"--epochs is {asked.epochs:g}; expected a number above 0")
    delta = 0.1 / asked.examples if asked.delta is None else asked.delta
    sample_rate = asked.batch_size / asked.examples
    num_steps = math.ceil(asked.epochs / sample_rate - 1e-9) if asked.steps is None else asked.steps
    noise = asked.noise_multiplier
    if noise is None:
        noise = noise_for(asked.epsilon, delta, sample_rate, num_steps)
        found = f"noise multiplier {shown(noise)} for epsilon {asked.epsilon:g} at delta {delta:.3g}"
    else:
        epsilon = epsilon_of([NoisySteps(noise, sample_rate, num_steps)], delta)
        found = f"epsilon {shown(epsilon)} at delta {delta:.3g} for noise multiplier {noise:g}"
    if asked.tuning_runs is not None:
        best = epsilon_of_best([NoisySteps(noise, sample_rate, num_steps)], delta, asked.tuning_runs)
        found += (
            f"\nepsilon {shown(best)} for publishing only the best of K such runs, K secret and drawn before from a Poisson "
            f"law of mean {asked.tuning_runs:g}"
        )
    warning = (
        ""
        if delta < 1 / asked.examples
        else "\nwarning: at this delta a whole example may be given away: choose it below one over the examples"
    )
    return (
        f"{found}\n"
        f"{num_steps:,} steps of {asked.batch_size:g} examples expected out of {asked.examples:,} (sample rate {sample_rate:.4g})\n"
        "holds for Poisson sampling, each example clipped alone, noise on every step, empty batches included;\n"
        "neighbours: one example added or removed; composed by privacy loss distributions"
        f"{warning}"
    )


def _of_runs(asked: argparse.Namespace) -> str:
    beside = [name for name in ("examples", "batch_size", "epochs", "steps", "epsilon", "noise_multiplier", "tuning_runs")
              if getattr(asked, name) is not None]  # fmt: skip
    if beside:
        raise ValueError(f"--run tells what was done; --{beside[0].replace('_', '-')} plans: give one or the other")
    ledger = Ledger()
    for name in asked.run:
        ledger += _ledger_of(runs.find(name, asked.runs))
    lines = []
    for cost in ledger.costs(asked.delta):
        lines.append(
            f"{cost.split} texts of {cost.source}: epsilon {shown(cost.epsilon)} at delta {cost.delta:.3g}, "
            f"{cost.num_units:,} of unit {cost.unit}"
        )
        for stage in cost.stages:
            alone = total([stage], cost.delta)
            lines.append(f"  {stage.kind} of {stage.run}: {shown(alone)}{f' ({stage.why})' if stage.why else ''}")
    lines += [f"not counted: {note[0].lower()}{note[1:]}" for note in ledger.notes]
    return "\n".join(lines) or "these runs have touched no data"


def _ledger_of(run: Run) -> Ledger:
    """What a run's ledger and, if its training was private, its journal say; of one that is not finished, so far."""
    journal = Journal(run.private)
    mechanism = journal.mechanism()
    if not run.ledger.is_file() and mechanism is None:
        raise ValueError(
            f"run {run.name!r} has neither a ledger nor a journal of private steps\nfinish it: {run.resume_command()}"
        )
    written = Ledger.read(run.ledger) if run.ledger.is_file() else None
    if mechanism is None:
        assert written is not None
        return written
    steps = journal.stages() if journal.is_private() else None
    if written is not None:  # the journal knows of steps made since
        own = [stage for stage in written.stages if stage.identity == journal.identity()]
        others = [stage for stage in written.stages if stage not in own]
        return Ledger(
            [*others, *(replace(stage, steps=steps if stage.steps is not None else None) for stage in own)],
            written.notes,
        )
    stage = Stage(
        run.name, "training", f"the data of {run.name}", "train", f"{run.name}:", mechanism.num_units, mechanism.unit,
        steps, "so far" if journal.is_private() else "the noise was seeded", {"delta": mechanism.delta}, journal.identity(),
    )  # fmt: skip
    return Ledger([stage], ["What this unfinished run started from: its teacher and its weights."])
