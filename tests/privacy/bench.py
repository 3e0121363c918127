"""Laws that every private training must obey, found by experiment alone: what the planted bugs are tried against.

Each law takes one part (engine, noise, sampler, journal, accountant, or the whole callback) and says what is wrong, or nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from scipy import stats
from torch import Tensor, nn

from slimlit.models import Pretrained
from slimlit.privacy.accounting import NoisySteps
from slimlit.privacy.engine import ClippedGradients
from slimlit.privacy.journal import Mechanism
from slimlit.privacy.sampling import PoissonBatches
from slimlit.tasks import SequenceClassification
from slimlit.types import Batch
from tests.tasks.doubles import toy_data, toy_trainer

from .networks import make_batch, pick

Sums = Mapping[str, Tensor]


class Tied(nn.Module):
    """A language model in small: table and output are one, a layer norm, a linear layer with bias, a bare scale."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.table = nn.Embedding(61, 8)
        self.norm = nn.LayerNorm(8)
        self.middle = nn.Linear(8, 8)
        self.scale = nn.Parameter(torch.rand(8))
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.5)

    def forward(self, batch: Batch) -> Tensor:
        states = self.norm(torch.tanh(self.middle(self.table(batch["input_ids"]))) * self.scale)
        logits = nn.functional.linear(states, self.table.weight)
        real = batch["attention_mask"]
        each = nn.functional.cross_entropy(logits.transpose(1, 2), batch["input_ids"].flip(1), reduction="none")
        return (each * real).sum(1) / real.sum(1)


def norm(sums: Sums) -> float:
    return sum(float(part.double().square().sum()) for part in sums.values()) ** 0.5


def difference(one: Sums, other: Sums) -> float:
    return norm({name: one[name] - other[name] for name in one}) / max(norm(other), 1e-30)


def summed(engine: ClippedGradients, network: nn.Module, *batches: Batch) -> dict[str, Tensor]:
    for batch in batches:
        with engine.recording(batch, len(batch["input_ids"])):
            losses = network(batch)
        engine.watch(losses).mean().backward()
        engine.clip()
    return engine.take()


# laws of the engine: noise off


def engine_laws(make: type[ClippedGradients]) -> Iterator[str]:
    network, batch = Tied(), make_batch(8, 6)
    batch["input_ids"][3] = 7  # one word again and again: what forgets to merge rows shows here
    for bound in (1e-3, 0.7, 1e3):
        for clipping in ("flat", "per_layer", "automatic"):
            network.requires_grad_(True)
            engine = make(dict(network.named_parameters()), bound, clipping)
            whole = summed(engine, network, batch)
            apart = [summed(engine, network, pick(batch, slice(*ends))) for ends in ((0, 2), (2, 8))]
            if difference({name: apart[0][name] + apart[1][name] for name in whole}, whole) > 1e-4:
                yield f"sums of disjoint batches do not add up ({clipping}, {bound})"
            parts = summed(engine, network, pick(batch, slice(0, 2)), pick(batch, slice(2, 8)))
            if difference(parts, whole) > 1e-4:
                yield f"a step in parts is another ({clipping}, {bound})"
            singles = [summed(engine, network, pick(batch, slice(row, row + 1))) for row in range(8)]
            if max(map(norm, singles)) > bound * (1 + 1e-4):
                yield f"one example adds more than the bound ({clipping}, {bound})"
            if clipping == "flat":
                network.requires_grad_(True)
                for row, found in enumerate(singles):
                    loss = network(pick(batch, slice(row, row + 1))).sum()
                    names, parameters = zip(*network.named_parameters(), strict=True)
                    raw = dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))
                    scale = min(1.0, bound / norm(raw))
                    if difference(found, {name: part * scale for name, part in raw.items()}) > 1e-4:
                        yield f"it is not the clipped gradient ({bound})"
    network.requires_grad_(True)
    yield from _odd_examples(make, network, batch)


def _odd_examples(make: type[ClippedGradients], network: nn.Module, batch: Batch) -> Iterator[str]:
    class Poisoned(nn.Module):
        def forward(self, rows: Batch) -> Tensor:
            bad = torch.where(rows["example_id"] == 5, torch.nan, 1.0)
            return network(rows) * bad

    engine = make(dict(network.named_parameters()), 1.0)
    found = summed(engine, Poisoned(), batch)
    if not all(bool(torch.isfinite(part).all()) for part in found.values()):
        yield "one example's NaN reaches the sum"
    with engine.recording(batch, 8):
        losses = network(batch)
    engine.watch(losses, torch.zeros(8)).sum().backward()
    engine.clip()
    if norm(engine.take()) > 0:
        yield "rows of no weight add to the sum"
    wide = make(dict(network.named_parameters()), 1e-3)
    single = pick(batch, slice(0, 1))
    with torch.autocast("cpu", torch.bfloat16), wide.recording(single, 1):
        losses = network(single)
    wide.watch(losses.float()).sum().backward()
    wide.clip()
    if norm(wide.take()) > 1e-3 * (1 + 1e-4):
        yield "under bf16 one example adds more than the bound"


# laws of the noise


def noise_laws(add_noise: Callable[[Any, float, bytes], None]) -> Iterator[str]:
    def draw(key: bytes, std: float = 2.5) -> dict[str, Tensor]:
        drawn = {"a": torch.zeros(120_000), "b": torch.zeros(300, 400)}
        add_noise(drawn, std, key)
        return {name: part.flatten() for name, part in drawn.items()}

    one, two = draw(b"1" * 16), draw(b"2" * 16)
    for name in one:
        if abs(float(one[name].std()) / 2.5 - 1) > 0.02:
            yield "the noise has another scale"
        if stats.kstest((one[name] / one[name].std()).numpy(), "norm").pvalue < 1e-5:
            yield "the noise is not normal"
        if float(one[name].abs().max()) < 3.5 * 2.5:
            yield "the noise has no tails"
    for first, second in ((one["a"], two["a"]), (one["a"], one["b"]), (one["a"][:60_000], one["a"][60_000:])):
        if abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) > 0.03:
            yield "noise is repeated"
    if not torch.equal(one["a"], draw(b"1" * 16)["a"]):
        yield "a replay draws other noise"


# laws of the sampler

LENGTHS = np.random.default_rng(0).integers(3, 60, 300)


def sampler_laws(make: Callable[..., PoissonBatches]) -> Iterator[str]:
    def steps(count: int, rate: float = 0.1, parts: int = 2, **more: Any) -> list[list[int]]:
        sampler = make(LENGTHS, rate, count, parts, b"k" * 32, **more)
        batches = list(islice(iter(sampler), count * parts))
        if len(batches) < count * parts:
            return []
        joined = [
            [row for batch in batches[at : at + parts] for row in batch if row >= 0]
            for at in range(0, len(batches), parts)
        ]
        return joined

    taken = steps(400)
    if len(taken) < 400:
        yield "there are fewer batches than steps"
        return
    if any(len(set(rows)) != len(rows) for rows in taken):
        yield "an example is twice in a step"
    drawn = np.zeros((400, 300))
    for number, rows in enumerate(taken):
        drawn[number, rows] = 1
    if abs(drawn.mean() - 0.1) > 5 * (0.09 / drawn.size) ** 0.5 or drawn.mean(0).std() > 0.022:
        yield "the odds are not the rate"
    if not 0.7 < drawn.sum(1).var() / 27 < 1.35:
        yield "the size of a step does not vary as coins do"
    if abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) > 0.02:
        yield "a step knows the one before"
    if sum(not rows for rows in steps(200, rate=0.003)) < 50:
        yield "empty steps are left out"
    halves = [steps(50, rank=rank, num_processes=2) for rank in (0, 1)]
    for number, (first, second) in enumerate(zip(*halves, strict=True)):
        if set(first) & set(second) or sorted(first + second) != sorted(taken[number]):
            yield "two processes do not share a step"
            break
    if steps(30)[20:] != steps(10, num_taken=lambda: 40):
        yield "a resumed run draws another sample"


# laws of journal and accountant


def journal_laws(make: Callable[[Path], Any], folder: Path) -> Iterator[str]:
    mechanism = Mechanism(1.0, 0.5, "flat", 0.1, 40.0, "example", 400, 1e-5)
    journal = make(folder)
    journal.begin(mechanism, b"s" * 32)
    for number in range(5):
        journal.step(number, f"tag {number}")
    again = make(folder)
    again.begin(mechanism, b"s" * 32)
    for number in range(3, 7):
        again.step(number, f"tag {number}")
    if again.stages() != [NoisySteps(1.0, 0.1, 7)]:
        yield "a resumed run does not count every step once"
    again.step(6, "other noise")
    if [stage.noise_multiplier for stage in again.stages()] == [1.0]:
        yield "a step released twice is charged once"
    if make(folder).secret() != make(folder).secret() or make(folder).secret() == make(folder / "b").secret():
        yield "the secret is not the run's own"


def accountant_laws(epsilon_of: Callable[[list[NoisySteps], float], float]) -> Iterator[str]:
    from opacus.accountants.analysis import rdp

    orders = [1 + x / 10.0 for x in range(1, 100)] + [float(x) for x in range(12, 64)]
    for noise, rate, steps in ((1.0, 0.01, 1000), (2.0, 0.1, 200), (0.8, 0.02, 300)):
        found = epsilon_of([NoisySteps(noise, rate, steps)], 1e-5)
        curve = rdp.compute_rdp(q=rate, noise_multiplier=noise, steps=steps, orders=orders)
        above, _ = rdp.get_privacy_spent(orders=orders, rdp=curve, delta=1e-5)
        if found > above * 1.001:
            yield "the accountant says more than a looser one"
        if found < 0.7 * above:
            yield "the accountant counts too little"
    several = epsilon_of([NoisySteps(1.0, 0.01, 500), NoisySteps(1.0, 0.01, 500)], 1e-5)
    if abs(several / epsilon_of([NoisySteps(1.0, 0.01, 1000)], 1e-5) - 1) > 0.01:
        yield "stages do not compose"
    exact = epsilon_of([NoisySteps(1.0, 1.0, 1)], 1e-5)  # one Gaussian: known in closed form
    delta = stats.norm.cdf(0.5 - exact) - np.exp(exact) * stats.norm.cdf(-0.5 - exact)
    if not 0.9e-5 < delta <= 1.0e-5:
        yield "one Gaussian step is miscounted"


# laws of the whole, through a trainer


class Watching(Callback):
    """What others see before and after."""

    def __init__(self) -> None:
        self.raw = 0
        self.seen: list[Tensor] = []
        self.counts: list[int] = []

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.raw += sum(parameter.grad is not None for parameter in pl_module.parameters())

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        grads = [parameter.grad for parameter in pl_module.parameters() if parameter.grad is not None]
        if grads:
            self.seen.append(torch.cat([gradient.flatten() for gradient in grads]).clone())
            self.counts.append(sum(map(torch.numel, grads)))


def whole_laws(make: type[Any], model: Path, files: Path, folder: Path) -> Iterator[str]:
    watching = Watching()
    private = make(noise_multiplier=2.0, max_grad_norm=1e-6, physical_batch_size=3)
    seed_everything(1)
    task = SequenceClassification(Pretrained(str(model), pooling="attention"), None, None)
    data = toy_data(model, files, batch_size=4)
    trainer = toy_trainer(
        folder, callbacks=[private, watching], max_steps=4, limit_val_batches=0, accumulate_grad_batches=2
    )
    trainer.fit(task, datamodule=data)
    if watching.raw:
        yield "a gradient without noise is in .grad"
    if len(watching.seen) != 4:
        yield "steps are lost"
        return
    if watching.counts[0] != sum(parameter.numel() for parameter in task.student.parameters()):
        yield "some parameters get no noise"
    for gradient in watching.seen:
        if abs(float(gradient.std()) * 8 / 2e-6 - 1) > 0.03:
            yield "the noise in a step is not sigma C over the expected batch"
    if abs(float(torch.corrcoef(torch.stack(watching.seen[:2]))[0, 1])) > 0.05:
        yield "two steps have the same noise"
    steps, _, _ = private.releases(trainer)
    if steps is None or sum(stage.num_steps for stage in steps) != 4:
        yield "the journal has not counted the steps"
    elif steps[0].sample_rate != 8 / len(data.splits["train"]):
        yield "the sample rate is not that of the sampler"
