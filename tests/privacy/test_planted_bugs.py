"""Bugs that real libraries have had, planted one at a time: each is caught by a law, and honest training breaks none."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from slimlit.callbacks.differential_privacy import DifferentialPrivacy
from slimlit.privacy import engine
from slimlit.privacy.accounting import NoisySteps, epsilon_of
from slimlit.privacy.contributions import Contributions, Lookups
from slimlit.privacy.engine import ClippedGradients
from slimlit.privacy.journal import Journal
from slimlit.privacy.noise import add_noise
from slimlit.privacy.sampling import PoissonBatches

from . import bench

Plant = pytest.MonkeyPatch


def found_in_engine(make: type[ClippedGradients] = ClippedGradients) -> list[str]:
    return list(bench.engine_laws(make))


# bugs of the engine


class ClipsTheBatch(ClippedGradients):
    """Batch-level clipping: the sum is clipped, not its parts."""

    def clip(self, units: Any = None) -> None:
        bound, self.max_grad_norm = self.max_grad_norm, 1e30
        super().clip(units)
        self.max_grad_norm = bound
        scale = min(1.0, bound / max(bench.norm(self.sums), 1e-30))
        for total in self.sums.values():
            total.mul_(scale)


class LayersGetTheWholeBound(ClippedGradients):
    """Per-layer clipping with C for each layer, not C over the root of their number."""

    def clip(self, units: Any = None) -> None:
        bound = self.max_grad_norm
        self.max_grad_norm = bound * len(self.groups()) ** 0.5
        super().clip(units)
        self.max_grad_norm = bound


class Weightless(ClippedGradients):
    """Rows that only fill a batch are taken for examples."""

    def watch(self, losses: Tensor, weights: Tensor | None = None) -> Tensor:
        return super().watch(losses, None)


class DividesByTheBatch(ClippedGradients):
    """The mean of a part is added to the sum: examples of small parts count more."""

    def clip(self, units: Any = None) -> None:
        before, self.sums = self.sums, {}
        super().clip(units)
        size = 1 if self.norms is None else len(self.norms)
        self.sums = {name: total / size + before.get(name, 0.0) for name, total in self.sums.items()}


class KeepsTheLastPart(ClippedGradients):
    """Under accumulation only the last part of a step counts."""

    def clip(self, units: Any = None) -> None:
        self.sums = {}
        super().clip(units)


def squares_without(kind: str) -> Callable[[Contributions], Tensor]:
    whole = Contributions.squares

    def squares(self: Contributions) -> Tensor:
        if kind == "cross" and self.products and self.lookups:
            return self.products[0].squares(self.grams) + self.lookups[0].squares(len(self.parameter))
        if kind == "products" and self.products and self.lookups:
            return self.products[0].squares(self.grams)
        if kind == "vectors" and self.whole is not None and not self.products and not self.lookups:
            return torch.zeros(self.batch_size())
        if kind == "embeddings" and self.lookups:
            return torch.zeros(self.batch_size()) if not self.products else self.products[0].squares(self.grams)
        return whole(self)

    return squares


def rows_apart(self: Lookups, num_rows: int) -> Tensor:
    return self.outputs.float().square().sum((1, 2))


ENGINE_BUGS: dict[str, Callable[[Plant], list[str]]] = {}


def plant_in_engine(name: str, make: type[ClippedGradients]) -> None:
    ENGINE_BUGS[name] = lambda plant: found_in_engine(make)


plant_in_engine("the batch is clipped, not the example", ClipsTheBatch)
plant_in_engine("each layer gets the whole bound", LayersGetTheWholeBound)
plant_in_engine("rows that fill a batch count", Weightless)
plant_in_engine("parts are averaged, then added", DividesByTheBatch)
plant_in_engine("the last part of a step overwrites the others", KeepsTheLastPart)


def in_squares(kind: str, plant: Plant) -> list[str]:
    plant.setattr(Contributions, "squares", squares_without(kind))
    return found_in_engine()


ENGINE_BUGS["tied weights: the cross term is left out of the norm"] = partial(in_squares, "cross")
ENGINE_BUGS["tied weights: the second use is left out of the norm"] = partial(in_squares, "products")
ENGINE_BUGS["biases, layer norms and bare parameters are left out of the norm"] = partial(in_squares, "vectors")
ENGINE_BUGS["embeddings are left out of the norm"] = partial(in_squares, "embeddings")


def repeated_words(plant: Plant) -> list[str]:
    plant.setattr(Lookups, "squares", rows_apart)
    return found_in_engine()


def norms_in_bf16(plant: Plant) -> list[str]:
    exact = Contributions.squares
    plant.setattr(Contributions, "squares", lambda self: exact(self).bfloat16().float() * 0.98)
    return found_in_engine()


def no_gamma(plant: Plant) -> list[str]:
    plant.setattr(engine, "_STABLE", -0.01)
    return found_in_engine()


ENGINE_BUGS["rows of a word that comes twice are not added up before squaring"] = repeated_words
ENGINE_BUGS["norms are rounded to bf16"] = norms_in_bf16
ENGINE_BUGS["automatic clipping overshoots"] = no_gamma


# bugs of the noise


def of_noise(add: Callable[[Any, float, bytes], None]) -> list[str]:
    return list(bench.noise_laws(add))


def shared_stream(to: Any, std: float, key: bytes) -> None:
    for tensor in to.values():
        add_noise({"all": tensor}, std, key)


def cut_tails(to: Any, std: float, key: bytes) -> None:
    for name, tensor in to.items():
        drawn = torch.zeros_like(tensor)
        add_noise({name: drawn}, std, key)
        tensor.add_(drawn.clamp(-3 * std, 3 * std))


def uniform(to: Any, std: float, key: bytes) -> None:
    for name, tensor in to.items():
        seed = int.from_bytes(key[:4], "big") + len(name) + ord(name[0])
        drawn = np.random.default_rng(seed).uniform(-(3**0.5), 3**0.5, tuple(tensor.shape))
        tensor.add_(torch.from_numpy(drawn * std).float())


def repeats_blocks(to: Any, std: float, key: bytes) -> None:
    for name, tensor in to.items():
        drawn = torch.zeros(60_000)
        add_noise({name: drawn}, std, key)
        tensor.add_(drawn.repeat(-(-tensor.numel() // 60_000))[: tensor.numel()].view(tensor.shape))


NOISE_BUGS: dict[str, Callable[[Any, float, bytes], None]] = {
    "the same seed at every step": lambda to, std, key: add_noise(to, std, b"s" * 16),
    "one stream for all parameters": shared_stream,
    "the variance is taken for the deviation": lambda to, std, key: add_noise(to, std**0.5, key),
    "tails are cut off": cut_tails,
    "uniform noise": uniform,
    "noise repeated in blocks": repeats_blocks,
    "a replay draws anew": lambda to, std, key: add_noise(to, std, np.random.default_rng().bytes(16)),
}


# bugs of the sampler


class FixedSize(PoissonBatches):
    """Shuffled batches of one size, counted as if they were Poisson samples."""

    def drawn(self, step: int) -> Any:
        chosen = np.zeros(self.num_units, dtype=bool)
        size = round(self.sample_rate * self.num_units)
        chosen[np.random.default_rng(step).permutation(self.num_units)[:size]] = True
        return chosen


class SameEveryTime(PoissonBatches):
    def drawn(self, step: int) -> Any:
        return super().drawn(0)


class DropsEmpty(PoissonBatches):
    def __iter__(self) -> Iterator[list[int]]:
        return iter([rows for rows, _ in zip(super().__iter__(), range(len(self)), strict=False) if rows != [-1]])


class CutsLarge(PoissonBatches):
    """The physical cap throws examples away."""

    def parts(self, step: int) -> list[list[int]]:
        return [rows[:15] for rows in super().parts(step)]


class EveryRankTheSame(PoissonBatches):
    def __init__(self, *args: Any, rank: int = 0, num_processes: int = 1, **more: Any) -> None:
        super().__init__(*args, **more)


class RanksDrawApart(PoissonBatches):
    """Each process draws from all examples with a seed of its own."""

    def __init__(self, *args: Any, rank: int = 0, num_processes: int = 1, **more: Any) -> None:
        super().__init__(*args, **more)
        self.key += bytes([rank])


class ForgetsWhereItWas(PoissonBatches):
    def __init__(self, *args: Any, num_taken: Any = None, **more: Any) -> None:
        super().__init__(*args, **more)


class LongTextsMoreOften(PoissonBatches):
    def drawn(self, step: int) -> Any:
        weights = self.lengths / self.lengths.mean()
        return self._random("sample", step).random(self.num_units) < self.sample_rate * weights


SAMPLER_BUGS = (
    FixedSize, SameEveryTime, DropsEmpty, CutsLarge, EveryRankTheSame, RanksDrawApart, ForgetsWhereItWas, LongTextsMoreOften
)  # fmt: skip


# bugs of journal and accountant


class StartsAnew(Journal):
    """The count begins again on resume."""

    def begin(self, mechanism: Any, secret: bytes, private: bool = True) -> None:
        self.path.unlink(missing_ok=True)
        super().begin(mechanism, secret, private)


class CountsTheHighestStep(Journal):
    def stages(self, more: int = 0) -> list[NoisySteps]:
        return [NoisySteps(1.0, 0.1, 1 + max(line["step"] for line in self.lines() if "step" in line))]


class CountsEveryLine(Journal):
    def stages(self, more: int = 0) -> list[NoisySteps]:
        return [NoisySteps(1.0, 0.1, sum("step" in line for line in self.lines()))]


class OneSecretForAll(Journal):
    def secret(self) -> bytes:
        return b"slimlit " * 4


JOURNAL_BUGS = (StartsAnew, CountsTheHighestStep, CountsEveryLine, OneSecretForAll)

ACCOUNTANT_BUGS: dict[str, Callable[[list[NoisySteps], float], float]] = {
    "the last stage only": lambda stages, delta: epsilon_of(stages[-1:], delta),
    "half the steps": lambda stages, delta: epsilon_of(
        [NoisySteps(s.noise_multiplier, s.sample_rate, max(1, s.num_steps // 2)) for s in stages], delta
    ),
    "a central-limit shortcut": lambda stages, delta: 0.6 * epsilon_of(stages, delta),
    "removal only, at half the rate": lambda stages, delta: epsilon_of(
        [NoisySteps(s.noise_multiplier, s.sample_rate / 2, s.num_steps) for s in stages], delta
    ),
}


# bugs of the whole


class NoiseWithoutClipNorm(DifferentialPrivacy):
    def noise(self, sums: dict[str, Tensor], key: bytes) -> None:
        add_noise(sums, 2.0, key, divisor=self.expected)


class NoiseForEachPart(DifferentialPrivacy):
    """Unscaled under accumulation: every part of a step brings noise of its own."""

    def noise(self, sums: dict[str, Tensor], key: bytes) -> None:
        for number in range(self.num_parts):
            is_last = number == self.num_parts - 1
            add_noise(sums, 2.0 * self.max_grad_norm, key + bytes([number]), self.expected if is_last else 1.0)


class NoiseSharedByProcesses(DifferentialPrivacy):
    """The deviation, not the variance, is divided over two processes that add noise each."""

    def noise(self, sums: dict[str, Tensor], key: bytes) -> None:
        for rank in range(2):
            add_noise(sums, 2.0 * self.max_grad_norm / 2, key + bytes([rank]), self.expected if rank else 1.0)


class DividesByTheActualBatch(DifferentialPrivacy):
    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        super().on_train_batch_start(trainer, pl_module, batch, batch_idx)
        self.seen = getattr(self, "seen", 0) + int((batch["example_id"] >= 0).sum())

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        expected, self.expected = self.expected, float(max(1, self.seen))
        super().on_before_optimizer_step(trainer, pl_module, optimizer)
        self.expected, self.seen = expected, 0


class OneKeyForAllSteps(DifferentialPrivacy):
    def _noise_key(self, trainer: Any, sums: Any, step: int) -> bytes:
        return self.secret


class NoiseWhereThereIsAGradient(DifferentialPrivacy):
    """Parameters the batch did not touch get no noise: words show."""

    def noise(self, sums: dict[str, Tensor], key: bytes) -> None:
        untouched = {name: total == 0 for name, total in sums.items()}
        super().noise(sums, key)
        for name, rows in untouched.items():
            sums[name][rows] = 0.0


class ShowsTheSum(DifferentialPrivacy):
    """Fills .grad as it goes, and noises it later."""

    def on_after_backward(self, trainer: Any, pl_module: Any) -> None:
        super().on_after_backward(trainer, pl_module)
        assert self.engine is not None
        for name, parameter in self.engine.parameters.items():
            parameter.grad = self.engine.sums.get(name)


class ForgetsToWrite(DifferentialPrivacy):
    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        if trainer.global_step % 2:
            self.journal.step = lambda *_: None  # type: ignore[method-assign, assignment]
        super().on_before_optimizer_step(trainer, pl_module, optimizer)


class ClaimsASmallerRate(DifferentialPrivacy):
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        expected, self.expected = self.expected, self.expected / 2
        super().on_train_start(trainer, pl_module)
        self.expected = expected


WHOLE_BUGS = (
    NoiseWithoutClipNorm, NoiseForEachPart, NoiseSharedByProcesses, DividesByTheActualBatch, OneKeyForAllSteps,
    NoiseWhereThereIsAGradient, ShowsTheSum, ForgetsToWrite, ClaimsASmallerRate,
)  # fmt: skip


def test_honest_parts_break_no_law(tmp_path: Path) -> None:
    assert found_in_engine() == []
    assert of_noise(add_noise) == []
    assert list(bench.sampler_laws(PoissonBatches)) == []
    assert list(bench.journal_laws(Journal, tmp_path)) == []
    assert list(bench.accountant_laws(epsilon_of)) == []


def test_honest_training_breaks_no_law(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    for attempt in range(2):
        assert list(bench.whole_laws(DifferentialPrivacy, toy_model, toy_files, tmp_path / str(attempt))) == []


@pytest.mark.parametrize("name", ENGINE_BUGS)
def test_a_bug_of_the_engine_is_caught(name: str, monkeypatch: Plant) -> None:
    assert ENGINE_BUGS[name](monkeypatch)


def test_nan_that_passes_is_caught(monkeypatch: Plant) -> None:
    class Trusting(ClippedGradients):
        def clip(self, units: Any = None) -> None:
            with monkeypatch.context() as plant:
                plant.setattr(torch, "isfinite", lambda x: torch.ones_like(x, dtype=torch.bool))
                super().clip(units)

    assert "one example's NaN reaches the sum" in found_in_engine(Trusting)


@pytest.mark.parametrize("name", NOISE_BUGS)
def test_a_bug_of_the_noise_is_caught(name: str) -> None:
    assert of_noise(NOISE_BUGS[name])


@pytest.mark.parametrize("make", SAMPLER_BUGS)
def test_a_bug_of_the_sampler_is_caught(make: type[PoissonBatches]) -> None:
    assert list(bench.sampler_laws(make))


@pytest.mark.parametrize("make", JOURNAL_BUGS)
def test_a_bug_of_the_journal_is_caught(make: type[Journal], tmp_path: Path) -> None:
    assert list(bench.journal_laws(make, tmp_path))


@pytest.mark.parametrize("name", ACCOUNTANT_BUGS)
def test_a_bug_of_the_accountant_is_caught(name: str) -> None:
    assert list(bench.accountant_laws(ACCOUNTANT_BUGS[name]))


@pytest.mark.parametrize("make", WHOLE_BUGS)
def test_a_bug_of_the_whole_is_caught(
    make: type[DifferentialPrivacy], toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    assert list(bench.whole_laws(make, toy_model, toy_files, tmp_path))
