"""``slimlit budget``: the noise that an epsilon takes, or the epsilon that noise gives, before anything is trained."""

import argparse
import math
import sys

from slimlit.privacy.accounting import NoisySteps, epsilon_of, noise_for
from slimlit.privacy.ledger import shown

EXAMPLE = "slimlit budget --examples 8530 --batch-size 256 --epochs 10 --epsilon 3"


def budget(arguments: list[str]) -> int:
    """The verb ``budget``; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="slimlit budget",
        description="Noise for an epsilon, or epsilon for noise, of training by DP-SGD with Poisson sampling.",
        epilog=f"example: {EXAMPLE}",
        allow_abbrev=False,
    )
    parser.add_argument("--examples", type=int, required=True, help="training examples")
    parser.add_argument("--batch-size", type=float, required=True, help="examples of a batch, expected")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--epochs", type=float, help="each of examples / batch size steps, rounded up")
    length.add_argument("--steps", type=int, help="optimizer steps")
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--epsilon", type=float, help="find the noise for it")
    wanted.add_argument("--noise-multiplier", type=float, help="find the epsilon: noise over the clipping norm")
    parser.add_argument("--delta", type=float, help="default: a tenth of one over the examples")
    asked = parser.parse_args(arguments)
    try:
        print(_answer(asked))
    except ValueError as mistake:
        print(f"error: {mistake}\nexample: {EXAMPLE}", file=sys.stderr)
        return 2
    return 0


def _answer(asked: argparse.Namespace) -> str:
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
    if asked.epsilon is None:
        noise = asked.noise_multiplier
        epsilon = epsilon_of([NoisySteps(noise, sample_rate, num_steps)], delta)
        found = f"epsilon {shown(epsilon)} at delta {delta:.3g} for noise multiplier {noise:g}"
    else:
        noise = noise_for(asked.epsilon, delta, sample_rate, num_steps)
        found = f"noise multiplier {shown(noise)} for epsilon {asked.epsilon:g} at delta {delta:.3g}"
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
