"""The base of every task: a student, perhaps a teacher, a loss, an optimizer; trains plainly without a teacher, distils with one."""

import difflib
import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import torch
from jaxtyping import Float
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import MeanMetric

from slimlit.losses import Loss
from slimlit.models import Head, Network, PreTrainedModel, read
from slimlit.models.attention import quicken_dropout
from slimlit.models.compatibility import check_labels, check_teacher, check_text, check_vocabulary
from slimlit.models.network import Kind
from slimlit.models.pretrained import quiet_files
from slimlit.models.seen_words import train_all_words, train_seen_words
from slimlit.models.word_head import words_at
from slimlit.tasks.memory import keep_freed_memory
from slimlit.types import Batch, Needs, Output

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
_TEACHER = "teacher."


class Watcher(Protocol):
    """What stands between the loss of each example and the mean: the seam for privacy."""

    shows_loss: bool

    def recording(self, batch: Batch) -> AbstractContextManager[None]:
        """Around the forward pass of student and loss."""

    def watch(self, losses: Tensor) -> Tensor:
        """The losses of the examples, before anything is made of them."""


class Task(LightningModule):
    """Student, teacher, loss and optimizer as a LightningModule; subclasses add the head's names and metrics.

    A subclass says its ``kind`` of head and the validation metric to choose checkpoints by (``monitor``, ``mode``), makes its
    metrics in ``prepare_metrics``, scores batches, and says in ``predictions`` what ``predict`` writes.

    Guarantees:
        - the teacher is a guest: frozen, in eval mode, not in the optimizer, not in a checkpoint;
        - the loss of a batch, and that of a split, is the plain mean over its examples, over all processes.
    """

    kind: ClassVar[Kind] = "sequence_classification"
    monitor: ClassVar[str] = "validation/loss"
    mode: ClassVar[Literal["max", "min"]] = "min"
    student: PreTrainedModel
    teacher: PreTrainedModel | None

    def __init__(
        self,
        student: Network,
        teacher: Network | None,
        loss: Loss,
        optimizer: MakeOptimizer,
        warmup: float,
        train_words: Literal["all", "seen"] = "all",
        freeze: list[str] | None = None,
    ) -> None:
        super().__init__()
        if not 0.0 <= warmup <= 1.0:
            raise ValueError(f"warmup is {warmup}; expected a fraction of the training steps, 0 to 1")
        if loss.teacher_needs and teacher is None:
            raise ValueError(
                f"{type(loss).__name__} compares with a teacher and there is none\nset model.init_args.teacher"
            )
        self.student_network = student
        self.teacher_network = teacher
        self.loss = loss
        self.make_optimizer = optimizer
        self.warmup = warmup
        self.train_words = train_words
        self.freeze_parts = list(freeze or [])
        self.watcher: Watcher | None = None
        self.finishers: list[
            Callable[[PreTrainedModel], PreTrainedModel]
        ] = []  # of callbacks: what makes the student written
        self._built = False

    def setup(self, stage: str) -> None:
        """Check that student, teacher and data fit, before any weight is loaded; make the metrics."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        self.head = Head(list(data.labels), self.kind)
        self.check_fit(data)
        self.mean_losses = nn.ModuleDict({name: MeanMetric(nan_strategy="disable") for name in ("validation", "test")})
        self.prepare_metrics(data)

    def check_fit(self, data: Any) -> None:
        """Student, teacher and data fit together, by their configurations.

        Raises:
            ValueError: they do not.
        """
        network, teacher = self.student_network, None
        if self.teacher_network is not None:
            teacher = self.teacher_network.config(self.head)
        student = network.config(self.head, teacher)
        check_text(student, "student", data.tokenizer, data.max_length)
        if self.teacher_network is not None and teacher is not None:
            own = data.teacher_tokenizer
            check_teacher(self.teacher_network, student, self.head, data.tokenizer, own, self.loss.num_words)
            check_text(teacher, "teacher", data.teacher_tokenizer or data.tokenizer, data.max_length)
        check_vocabulary(network, "student", data.tokenizer)
        known = network.known_labels(self.head)
        if known is not None:
            check_labels(known, "student", self.head.labels)

    def prepare_metrics(self, data: Any) -> None:
        """Make the metrics; the classes are in ``self.head.labels``."""

    def networks(self) -> tuple[PreTrainedModel, PreTrainedModel | None]:
        """The student, made of the teacher where it says so, and the teacher; weights and all."""
        teacher = None if self.teacher_network is None else self.teacher_network.build(self.head)
        return self.student_network.build(self.head, teacher), teacher

    def predictions(self, answers: list[Any], data: Any) -> dict[int, dict[str, Any]]:
        """What ``predict`` writes of each row, from what ``predict_step`` gave for each batch.

        Raises:
            ValueError: this task predicts nothing.
        """
        raise ValueError(f"predict writes what a student says of texts, and {type(self).__name__} says nothing of them")

    def configure_model(self) -> None:
        """Build the networks, once; by now ``setup`` has checked that they fit."""
        if self._built:
            return
        keep_freed_memory()
        self.student, self.teacher = self.networks()
        if self.teacher is not None:
            self.teacher.requires_grad_(False)
        quicken_dropout(self.student)
        freeze_parts(self.student, self.freeze_parts)
        self.loss.prepare(self.student, self.teacher)
        if self.train_words == "seen" and self.trainer.state.fn == TrainerFn.FITTING:
            train_seen_words(self.student, self.trainer.datamodule.splits["train"].words())  # type: ignore[attr-defined]
        self.train()
        self._built = True

    def train(self, mode: bool = True) -> "Task":
        """Set train or eval mode; the teacher, and modules of the student that are frozen, stay in eval mode."""
        super().train(mode)
        if self._built or "teacher" in self._modules:
            if self.teacher is not None:
                self.teacher.eval()
            for name, module in self.student.named_modules():
                if name in self.freeze_parts:
                    module.eval()
        return self

    def on_fit_start(self) -> None:
        """Enter train mode: since Lightning 2.2 ``fit`` does not, and ``from_pretrained`` leaves models in eval mode."""
        self.train()

    def configure_optimizers(self) -> Any:
        """The optimizer over student and loss, with linear warm-up and linear decay to zero over the planned steps."""
        optimizer = self.make_optimizer([*self.student.parameters(), *self.loss.parameters()])
        planned = self.trainer.estimated_stepping_batches
        if not math.isfinite(planned):
            return optimizer
        warm = max(1, round(self.warmup * planned))
        scale = lambda step: min((step + 1) / warm, max(0.0, (planned - step) / max(1, planned - warm)))  # noqa: E731
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": LambdaLR(optimizer, scale), "interval": "step"}}

    @property
    def teacher_needs(self) -> Needs:
        """What is read of the teacher: what the loss says."""
        return self.loss.teacher_needs

    def read_teacher(self, batch: Batch, needs: Needs) -> Output | None:
        """What the teacher says of the batch: as a callback put it there, or by running it; None without a teacher."""
        if "teacher" in batch:
            known = batch["teacher"]
            if known.word_states is None or self.teacher is None:
                return known
            return replace(known, words=words_at(self.teacher, known.word_states), word_states=None)
        return None if self.teacher is None else self.ask_teacher(batch, needs)

    def ask_teacher(self, batch: Batch, needs: Needs) -> Output:
        """Run the teacher over the batch."""
        assert self.teacher is not None
        with torch.no_grad():
            return read(self.teacher, batch, needs)

    def parts(self, batch: Batch) -> dict[str, Tensor]:
        """The named losses of each example, ``(batch,)``."""
        teacher = self.read_teacher(batch, self.teacher_needs) if self.loss.teacher_needs else None
        return self.loss.parts(read(self.student, batch, self.loss.student_needs), teacher, batch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The mean loss of the batch."""
        with nullcontext() if self.watcher is None else self.watcher.recording(batch):
            parts = self.parts(batch)
            losses = self.loss.combine(parts)
        loss = self.mean(losses if self.watcher is None else self.watcher.watch(losses))
        if (self.global_step + 1) % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            if self.watcher is None or self.watcher.shows_loss:
                self._log_losses(loss, parts)
            self.log("train/lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        return loss

    def _log_losses(self, loss: Tensor, parts: dict[str, Tensor]) -> None:
        shared = self.trainer.world_size > 1
        self.log("train/loss", loss.detach(), prog_bar=True, sync_dist=shared)
        if len(parts) > 1:
            means = {f"train/loss_{name}": self.mean(part.detach()) for name, part in parts.items()}
            self.log_dict(means, sync_dist=shared)

    def log_loss(self, split: str, losses: Float[Tensor, " batch"]) -> None:
        """Count the losses of a batch; what is logged is the mean over all examples of the split, on all processes."""
        mean = self.mean_losses[split]
        assert isinstance(mean, MeanMetric)
        mean.update(losses.detach().float())
        self.log(f"{split}/loss", mean, batch_size=len(losses), on_step=False, on_epoch=True)

    def mean(self, losses: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
        """The mean over the examples of all processes, scaled for the gradient averaging of DDP."""
        if self.trainer.world_size == 1:
            return losses.mean()
        count = self.trainer.strategy.reduce(torch.tensor(float(len(losses)), device=losses.device), reduce_op="sum")
        return losses.sum() * self.trainer.world_size / count

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave the teacher out."""
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name: weight for name, weight in state.items() if not name.startswith(_TEACHER)}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refill the teacher, so that loading stays strict about everything else."""
        if self.teacher is not None:
            for name, weight in self.teacher.state_dict().items():
                checkpoint["state_dict"][_TEACHER + name] = weight

    def export_student(self, folder: Path) -> None:
        """Write the student as a Hugging Face folder with its tokenizer."""
        train_all_words(self.student)
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        data.prepare_student(self.student)
        student = self.student
        for finish in self.finishers:
            student = finish(student)
        with quiet_files():
            student.save_pretrained(folder)
        data.tokenizer.save_pretrained(folder)


def freeze_parts(network: nn.Module, names: Iterable[str]) -> None:
    """Keep parts of a network, modules or parameters by name, as they are.

    Raises:
        ValueError: there is no such part.
    """
    for name in names:
        within = [weight for place, weight in network.named_parameters() if f"{place}.".startswith(f"{name}.")]
        if not within:
            parts = sorted({part for part, _ in network.named_modules() if part and part.count(".") < 2})
            near = difflib.get_close_matches(name, parts, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"freeze names {name!r}, which the student has not\n{hint}it has: {', '.join(parts[:8])}")
        for weight in within:
            weight.requires_grad_(False)
