"""``DifferentialPrivacy``: one more callback, and the same YAML trains under differential privacy."""

import hashlib
import hmac
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, distributed, nn

from slimlit.callbacks.canaries import plant_canaries
from slimlit.callbacks.refusals import problems, refuse_another
from slimlit.data.batches import cuts
from slimlit.data.module import TextModule
from slimlit.privacy.accounting import NoisySteps, epsilon_of, noise_for
from slimlit.privacy.engine import ClippedGradients, Clipping
from slimlit.privacy.journal import Journal, Mechanism
from slimlit.privacy.ledger import shown
from slimlit.privacy.noise import add_noise, digest
from slimlit.privacy.probe import check_examples_are_apart
from slimlit.privacy.sampling import PoissonBatches, num_parts_for
from slimlit.runs import Run
from slimlit.tasks.base import Task
from slimlit.types import Batch


class DifferentialPrivacy(Callback):
    """Trains by DP-SGD: Poisson sampling, each example's gradient clipped alone, Gaussian noise, and a journal of it.

    Give ``epsilon``, and the noise is found for the planned steps; or ``noise_multiplier``, and epsilon follows. The
    batch size of the data (times ``accumulate_grad_batches``) is the expected size of a step's Poisson sample, and what
    the noisy sum is divided by.

    Guarantees:
        - autograd never makes an unclipped gradient of a parameter; ``.grad`` is empty until the noise is in it;
        - every noisy step is in ``private/journal.jsonl`` on disk before the optimizer sees it, and a step repeated
          after a crash is the same release, or counted as another;
        - two processes make the gradients one would, within rounding, and one noise;
        - training losses stay off the logs unless ``show_training_loss``, which the ledger then tells.

    Args:
        epsilon: the most the training may cost; give this or ``noise_multiplier``.
        delta: a tenth of one over the number of examples unless given.
        noise_multiplier: standard deviation of the noise over ``max_grad_norm``.
        max_grad_norm: what one example adds to the sum of gradients at most.
        clipping: ``flat``, ``per_layer`` or ``automatic``; see :class:`~slimlit.privacy.engine.ClippedGradients`.
        group_column: column of the training file that tells whose a text is (author, patient, dialogue): the unit of
            privacy is then all texts of one group; a step takes groups, and clips the mean gradient of each. The batch
            size counts groups. Each example is its own unit where not given.
        examples_per_group: the most texts of a group that one step takes, drawn anew each time.
        physical_batch_size: examples computed at once; a matter of memory and speed alone.
        show_training_loss: log the noiseless training loss, which no epsilon covers.
        seed: draw sampling and noise from this number instead of a secret: for tests; the run is then not private.
    """

    def __init__(
        self,
        epsilon: float | None = None,
        delta: float | None = None,
        noise_multiplier: float | None = None,
        max_grad_norm: float = 1.0,
        clipping: Clipping = "flat",
        group_column: str | None = None,
        examples_per_group: int = 8,
        physical_batch_size: int = 64,
        show_training_loss: bool = False,
        seed: int | None = None,
    ) -> None:
        if (epsilon is None) == (noise_multiplier is None):
            raise ValueError(
                f"DifferentialPrivacy got epsilon {epsilon} and noise_multiplier {noise_multiplier}; expected one of them"
            )
        for name, value in {
            "epsilon": epsilon,
            "noise_multiplier": noise_multiplier,
            "max_grad_norm": max_grad_norm,
        }.items():
            if value is not None and not 0.0 < value < math.inf:
                raise ValueError(f"DifferentialPrivacy.{name} is {value}; expected a number above 0")
        for name, number in {
            "physical_batch_size": physical_batch_size,
            "examples_per_group": examples_per_group,
        }.items():
            if number < 1:
                raise ValueError(f"DifferentialPrivacy.{name} is {number}; expected 1 or more")
        self.epsilon, self.delta, self.noise_multiplier = epsilon, delta, noise_multiplier
        self.max_grad_norm, self.clipping = max_grad_norm, clipping
        self.group_column, self.examples_per_group = group_column, examples_per_group
        self.physical_batch_size, self.shows_loss, self.seed = physical_batch_size, show_training_loss, seed
        self.engine: ClippedGradients | None = None
        self.mechanism: Mechanism | None = None
        self._probed = False
        self._num_private = 0  # steps made so far, all of them here
        self._num_parts_seen = 0
        self._weights: Tensor | None = None
        self._units: Tensor | None = None

    def state_dict(self) -> dict[str, Any]:
        """How many steps were private: a checkpoint that others made has no such number."""
        return {"private steps": self._num_private}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self._num_private = state_dict["private steps"]

    # before training

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse what cannot be private, and put Poisson sampling in the place of batches."""
        if stage != TrainerFn.FITTING:
            return
        self._num_private = self._num_parts_seen = 0  # a checkpoint, where there is one, is read after this
        self._refuse(trainer, pl_module)
        plant_canaries(trainer)
        assert isinstance(pl_module, Task)
        if pl_module.train_words != "all":
            pl_module.train_words = "all"  # the rows that moved would show which words the private texts have
            trainer.print("private: the whole word table is trained, whatever train_words says")
        data = trainer.datamodule  # type: ignore[attr-defined]
        split = data.splits["train"]
        accumulated = trainer.accumulate_grad_batches
        self.units = np.arange(len(split)) if self.group_column is None else data.groups(self.group_column)
        sizes = np.minimum(np.bincount(self.units), self.examples_per_group)
        self.num_units = len(sizes)
        self.expected = float(min(data.batch_size * accumulated, self.num_units))
        self.num_steps = math.ceil(len(cuts(self.num_units, data.batch_size, trainer.world_size)) / accumulated)
        examples = self.expected * float(sizes.mean()) / trainer.world_size
        self.num_parts = num_parts_for(examples, self.physical_batch_size)
        trainer.accumulate_grad_batches = self.num_parts
        if isinstance(trainer.val_check_interval, int):
            trainer.val_check_interval *= self.num_parts
        if isinstance(trainer.limit_train_batches, int):
            trainer.limit_train_batches *= self.num_parts
        elif trainer.limit_train_batches < 1.0:  # whole steps
            trainer.limit_train_batches = int(trainer.limit_train_batches * self.num_steps) * self.num_parts
        self.journal = Journal(Run(Path(trainer.default_root_dir)).private)
        self.secret = self._secret(trainer)

        def draw(texts: Any, num_taken: Callable[[], int]) -> PoissonBatches:
            return PoissonBatches(
                texts.lengths,
                self.expected / self.num_units,
                self.num_steps,
                self.num_parts,
                self.secret,
                units=self.units,
                examples_per_unit=self.examples_per_group if self.group_column is not None else None,
                num_taken=num_taken,
                rank=trainer.global_rank,
                num_processes=trainer.world_size,
            )

        data.draw = draw

    def _secret(self, trainer: Trainer) -> bytes:
        if self.seed is not None:
            return hashlib.sha256(f"seed {self.seed}".encode()).digest()
        found = self.journal.secret() if trainer.is_global_zero else b""
        return trainer.strategy.broadcast(found)

    def _refuse(self, trainer: Trainer, module: LightningModule) -> None:
        """Stop at whatever would make what is claimed untrue, before anything is trained.

        Raises:
            ValueError: with what to change.
        """
        problem = next(problems(trainer, module), None)
        if problem is not None:
            raise ValueError(f"no privacy this way: {problem}")
        data = trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, TextModule) and (problem := data.unprotected(self.group_column)) is not None:
            raise ValueError(f"no privacy this way: {problem}")

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the parameters out of autograd's hands."""
        assert isinstance(pl_module, Task)
        named = {
            name: parameter
            for part, module in (("student.", pl_module.student), ("loss.", pl_module.loss))
            for name, parameter in cast(nn.Module, module).named_parameters(prefix=part.rstrip("."))
            if parameter.requires_grad
        }
        for module_name, module in [*pl_module.student.named_modules(), *pl_module.loss.named_modules()]:
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                raise ValueError(
                    f"no privacy this way: {module_name} is BatchNorm, which mixes the examples of a batch\n"
                    "use a network with LayerNorm or GroupNorm, or freeze and fold it"
                )
        known = {id(parameter) for parameter in named.values()}
        optimizers = trainer.optimizers
        if len(optimizers) != 1 or isinstance(optimizers[0], torch.optim.LBFGS):
            raise ValueError(
                f"no privacy this way: optimizers {', '.join(type(one).__name__ for one in optimizers)}\n"
                "expected one, which takes one gradient a step"
            )
        unknown = [
            parameter
            for group in optimizers[0].param_groups
            for parameter in group["params"]
            if parameter.requires_grad and id(parameter) not in known
        ]
        if unknown:
            raise ValueError(
                f"no privacy this way: the optimizer has {len(unknown)} parameters, the first {tuple(unknown[0].shape)}, that are "
                "neither the student's nor the loss's\nregister them there, or take them out of the optimizer"
            )
        self.engine = ClippedGradients(named, self.max_grad_norm, self.clipping)
        wrapper = trainer.strategy.model
        if isinstance(wrapper, nn.parallel.DistributedDataParallel):
            wrapper.require_backward_grad_sync = False  # what is summed over processes is what is clipped
        pl_module.watcher = self
        self._probed = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the noise for the steps to come, or refuse to go beyond epsilon; write down what will be done."""
        planned = trainer.estimated_stepping_batches
        if not math.isfinite(planned):
            raise ValueError("no privacy this way: training has no end\nset trainer.max_epochs or trainer.max_steps")
        every = cast(float, trainer.val_check_batch)
        if math.isfinite(every):
            trainer.val_check_batch = max(1, round(every / self.num_parts)) * self.num_parts
        rate = self.expected / self.num_units
        delta = 0.1 / self.num_units if self.delta is None else self.delta
        if not delta < 1.0 / self.num_units:
            raise ValueError(
                f"DifferentialPrivacy.delta is {delta:g}; expected below one over the {self.num_units:,} units: at {delta:g} a whole\n"
                "example may be given away"
            )
        begun = self.journal.mechanism()
        if min(self._num_private, self.journal.num_steps()) < trainer.global_step:
            raise ValueError(
                f"the run has made {trainer.global_step:,} steps, and {min(self._num_private, self.journal.num_steps()):,} of them are known "
                "to be private\nprivacy cannot be had afterwards; start another run: --run NAME"
            )
        noise = self.noise_multiplier
        if noise is None:
            assert self.epsilon is not None
            noise = begun.noise_multiplier if begun else noise_for(self.epsilon, delta, rate, int(planned))
        self.mechanism = Mechanism(
            noise,
            self.max_grad_norm,
            self.clipping,
            rate,
            self.expected,
            self.group_column or "example",
            self.num_units,
            delta,
        )
        noise = trainer.strategy.broadcast(noise)
        if begun is not None:
            refuse_another(begun, self.mechanism)
        left = max(
            0, int(planned) - self.journal.num_steps()
        )  # steps after the last checkpoint are repeated, for nothing
        if trainer.is_global_zero:
            self.journal.begin(self.mechanism, self.secret, private=self.seed is None)
        trainer.strategy.barrier("journal")
        cost = epsilon_of(self.journal.stages(more=left), delta) if left or self.journal.stages() else 0.0
        if self.epsilon is not None and cost > self.epsilon * 1.001:
            raise ValueError(
                f"with {left:,} steps to come the run would cost epsilon {shown(cost)}; {self.epsilon:g} was asked for\n"
                "take fewer steps, or allow more: trainer.callbacks, DifferentialPrivacy.epsilon"
            )
        unit = "examples" if self.group_column is None else f"groups by {self.group_column}"
        trainer.print(
            f"private: noise multiplier {noise:.4g} for epsilon {shown(cost)} at delta {delta:.3g} after {int(planned):,} steps of "
            f"{self.expected:g} of {self.num_units:,} {unit} expected"
            + ("" if self.seed is None else "; NOT PRIVATE: the noise is seeded")
        )

    # each batch

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Check by experiment, on the first batch of two or more, that no example's gradient depends on its neighbours."""
        assert isinstance(pl_module, Task)
        assert self.engine is not None
        self._weights = (batch["example_id"] >= 0).float()
        if self.group_column is not None and int(self._weights.sum()):
            _, number, count = np.unique(
                self.units[batch["example_id"].cpu().numpy()], return_inverse=True, return_counts=True
            )
            self._units = torch.from_numpy(number).to(self._weights.device)
            self._weights = self._weights / torch.from_numpy(count).to(self._weights.device)[self._units]
        if not self._probed and int(self._weights.sum()) > 1:
            self._probed = True
            module = pl_module
            check_examples_are_apart(
                self.engine,
                lambda rows: module.loss.combine(module.parts(rows)),
                [cast(nn.Module, module.student), module.loss],
                cast(dict[str, Any], batch),
            )

    def recording(self, batch: Batch) -> AbstractContextManager[None]:
        """Around the forward pass."""
        assert self.engine is not None
        return self.engine.recording(batch, len(batch["example_id"]))

    def watch(self, losses: Tensor) -> Tensor:
        """The losses, each with a weight of one in the backward pass, and none where a row only fills the batch."""
        assert self.engine is not None
        assert self._weights is not None
        if losses.shape != self._weights.shape:
            raise ValueError(
                f"the loss has the shape {tuple(losses.shape)} for {len(self._weights)} examples; expected one number an example\n"
                "a loss that averages over the batch or over its tokens ties examples together: reduce each alone"
            )
        return self.engine.watch(losses, self._weights)

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Clip each example and add it to the sum of the step."""
        assert self.engine is not None
        self.engine.clip(self._units)
        self._units = None
        self._num_parts_seen += 1

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        """Add up over processes, write the step down, add the noise, and only then fill ``.grad``.

        Raises:
            ValueError: the step is not one whole Poisson sample, since something else changed when steps are made.
        """
        assert self.engine is not None
        assert self.mechanism is not None
        if self._num_parts_seen != self.num_parts:
            raise ValueError(
                f"a step came after {self._num_parts_seen} parts of a sample; expected all {self.num_parts}\n"
                "something else changes accumulate_grad_batches or cuts epochs short: take it out of trainer.callbacks"
            )
        self._num_parts_seen = 0
        self._num_private += 1
        sums = self.engine.take()
        if trainer.world_size > 1:
            for total in sums.values():
                distributed.all_reduce(total)
        step = trainer.global_step
        key = self._noise_key(trainer, sums, step)
        if trainer.is_global_zero:
            self.journal.step(step, hmac.new(key, b"tag", hashlib.sha256).hexdigest()[:32])
        self.noise(sums, key)
        for name, parameter in self.engine.parameters.items():
            parameter.grad = sums[name].to(parameter.dtype)

    def noise(self, sums: dict[str, Tensor], key: bytes) -> None:
        """Add the noise, once for all processes together, and divide by the expected size of the sample."""
        assert self.mechanism is not None
        add_noise(sums, self.mechanism.noise_multiplier * self.max_grad_norm, key, divisor=self.expected)

    def _noise_key(self, trainer: Trainer, sums: dict[str, Tensor], step: int) -> bytes:
        """One key for one release: other sums, or other noise, at the same step are another."""
        message = f"{step} {asdict(cast(Mechanism, self.mechanism))} {digest(sums, self.secret).hex()}"
        key = hmac.new(self.secret, message.encode(), hashlib.sha256).digest()
        return trainer.strategy.broadcast(key) if trainer.world_size > 1 else key

    # afterwards

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the parameters back, without gradients."""
        if self.engine is not None:
            for parameter in self.engine.parameters.values():
                parameter.grad = None
                parameter.requires_grad_(True)
        cast(Task, pl_module).watcher = None

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Destroy the secret of a run that has made all its steps."""
        if trainer.is_global_zero and trainer.global_step >= trainer.estimated_stepping_batches:
            self.journal.forget_secret()

    def releases(self, trainer: Trainer) -> tuple[list[NoisySteps] | None, dict[str, Any], str]:
        """What was released in all steps so far, None and why where that is not known; and the mechanism."""
        mechanism = self.journal.mechanism()
        if mechanism is None or self.journal.num_steps() < trainer.global_step:
            return None, {}, "some of its steps are not in the journal"
        if not self.journal.is_private():
            return None, asdict(mechanism), "its noise came from a seed, not from a secret"
        return self.journal.stages(), asdict(mechanism), ""


def private_callback(trainer: Trainer) -> DifferentialPrivacy | None:
    """The callback that makes a trainer's fit private, where there is one."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next((one for one in callbacks if isinstance(one, DifferentialPrivacy)), None)


def is_private(trainer: Trainer) -> bool:
    """Whether the texts are private: then nobody is shown any, nor counts of how many a step took."""
    return private_callback(trainer) is not None
