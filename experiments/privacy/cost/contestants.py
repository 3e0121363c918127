"""The contestants: a training step without privacy, ours, and Opacus with hooks and with ghost clipping."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from experiments.privacy.cost.networks import Job, losses_of
from slimlit.privacy.engine import ClippedGradients
from slimlit.privacy.noise import add_noise, digest
from slimlit.tasks.optimizers import AdamW
from slimlit.types import Batch

Step = Callable[[], None]
MAX_GRAD_NORM, NOISE_MULTIPLIER = 0.1, 1.0


def plain(job: Job) -> Step:
    """Forward, backward, AdamW."""
    network, batch = job.make().train(), job.batch()
    optimizer = AdamW(network.parameters(), lr=1e-4)

    def step() -> None:
        losses_of(network, batch).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()

    return step


def slimlit(job: Job, noise: bool = True) -> Step:
    """What ``DifferentialPrivacy`` does in a step, the journal left out."""
    network, batch = job.make().train(), job.batch()
    optimizer = AdamW(network.parameters(), lr=1e-4)
    engine = ClippedGradients(dict(network.named_parameters()), MAX_GRAD_NORM)
    number = 0

    def step() -> None:
        nonlocal number
        number += 1
        with engine.recording(batch, job.batch_size):
            losses = losses_of(network, batch)
        engine.watch(losses).mean().backward()  # type: ignore[no-untyped-call]
        engine.clip()
        sums = engine.take()
        if noise:
            key = digest(sums, bytes(32)) + str(number).encode()
            add_noise(sums, NOISE_MULTIPLIER * MAX_GRAD_NORM, key, job.batch_size)
        for name, parameter in engine.parameters.items():
            parameter.grad = sums[name]
        optimizer.step()
        optimizer.zero_grad()

    return step


def opacus(job: Job, mode: str) -> Step:
    """Opacus' own step: ``hooks`` or ``ghost``; position tables are given explicit positions, which its hooks need."""
    from opacus import PrivacyEngine

    network, batch = job.make().train(), job.batch()
    positions = torch.arange(job.tokens).repeat(job.batch_size, 1)

    class Positioned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, rows: Batch) -> Any:
            return losses_of(lambda **more: network(position_ids=positions, **more), rows)  # type: ignore[arg-type]

    wrapped = Positioned()
    optimizer = AdamW(wrapped.parameters(), lr=1e-4)
    data = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.zeros(job.batch_size, 1)), batch_size=job.batch_size
    )
    common: dict[str, Any] = {
        "module": wrapped, "optimizer": optimizer, "data_loader": data, "noise_multiplier": NOISE_MULTIPLIER,
        "max_grad_norm": MAX_GRAD_NORM, "poisson_sampling": False,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if mode == "hooks":
            private, optimizer, *_ = PrivacyEngine().make_private(**common)

            def step() -> None:
                private(batch).mean().backward()
                optimizer.step()
                optimizer.zero_grad()

            return step
        private, optimizer, criterion, _ = PrivacyEngine().make_private(
            **common, grad_sample_mode="ghost", criterion=Given()
        )

        def ghost_step() -> None:
            criterion(private(batch), torch.zeros(job.batch_size)).backward()
            optimizer.step()
            optimizer.zero_grad()

        return ghost_step


class Given(nn.Module):
    """A criterion whose input is the loss of each example already."""

    reduction = "mean"

    def forward(self, losses: torch.Tensor, unused: torch.Tensor) -> torch.Tensor:
        """The losses, reduced as asked."""
        return losses.mean() if self.reduction == "mean" else losses


CONTESTANTS: dict[str, Callable[[Job], Step]] = {
    "plain": plain,
    "slimlit": slimlit,
    "slimlit without noise": lambda job: slimlit(job, noise=False),
    "opacus hooks": lambda job: opacus(job, "hooks"),
    "opacus ghost": lambda job: opacus(job, "ghost"),
}
