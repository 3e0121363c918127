"""``GradualPruning``: takes heads and feed-forward units away while the student trains, a few at a time."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from slimlit.callbacks.differential_privacy import is_private
from slimlit.callbacks.run_directory import RunDirectory
from slimlit.compress import prune
from slimlit.compress.choosing import Shares, choose
from slimlit.compress.configurations import smaller
from slimlit.compress.importance import Scores, by_weights
from slimlit.compress.layouts import layout_of, readers_of
from slimlit.compress.plans import Parts, Plan
from slimlit.models import PreTrainedModel
from slimlit.tasks.base import Task


class GradualPruning(Callback):
    """Silences the heads and feed-forward units that matter least, more and more of them, and cuts them out at the end.

    After the share ``t`` of the steps between ``begin`` and ``end``, ``1 - (1 - t)^3`` of what is to go is silent. A part's score is
    the running mean of ``|dL / dg|`` over training steps, ``g`` a gate of 1 on all it says (see
    :func:`slimlit.compress.importance.by_texts`).

    Guarantees:
        - what is silent stays silent, and as many parts are silent in each layer;
        - the student that is written has truly smaller matrices and says what the silenced one said;
        - a run that is killed and resumed silences the same parts.

    Args:
        heads: share of the attention heads to take away.
        feed_forward: share of the feed-forward units to take away.
        begin: share of the steps before the first is silenced.
        end: share of the steps after which all are; the rest of training is for those that stay.
        every: steps between two choices.
        memory: share of the old mean in the new one, at each step.

    Source: Zhu and Gupta 2017, arXiv:1710.01878.
    """

    def __init__(
        self,
        heads: float = 0.0,
        feed_forward: float = 0.0,
        begin: float = 0.1,
        end: float = 0.7,
        every: int = 20,
        memory: float = 0.95,
    ) -> None:
        self.shares = Shares(heads, feed_forward)
        if self.shares == Shares():
            raise ValueError(
                "GradualPruning has nothing to take away\nset heads or feed_forward, shares between 0 and 1"
            )
        if not 0.0 <= begin < end <= 1.0 or every < 1 or not 0.0 <= memory < 1.0:
            raise ValueError(
                f"GradualPruning has begin {begin}, end {end}, every {every}, memory {memory}\n"
                "expected 0 <= begin < end <= 1, at least 1, and 0 <= memory < 1"
            )
        self.begin, self.end, self.every, self.memory = begin, end, every, memory
        self.scores: dict[str, Tensor] = {}
        self.masks: dict[str, Tensor] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check that it can be done, and listen to what the parts say.

        Raises:
            ValueError: parts the architecture cannot be without, a private run, or weights chosen among many steps, which
                would be those before anything was silent.
        """
        assert isinstance(pl_module, Task)
        if is_private(trainer):
            raise ValueError(
                "GradualPruning reads the gradients without noise, and DifferentialPrivacy hides them\n"
                "prune first by weights alone: slimlit compress --score weights"
            )
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        if any(isinstance(one, RunDirectory) and one.monitor is not None for one in callbacks):
            raise ValueError(
                "with GradualPruning the last weights are the ones to keep: earlier ones are better for being larger\n"
                "set checkpoint.monitor to null"
            )
        student = pl_module.student
        smaller(student.config, choose(student.config, by_weights(student), self.shares))
        parts = Parts.of(student.config)
        for key, kind, reader in readers_of(student, layout_of(student.config)):
            reader.register_forward_pre_hook(self._hook(key, 1 if kind == "feed" else parts.head_dim))
        pl_module.finishers.append(self._cut)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Silence as many parts as it is time for."""
        assert isinstance(pl_module, Task)
        step, planned = trainer.global_step, float(trainer.estimated_stepping_batches)
        done = min(1.0, max(0.0, (step / planned - self.begin) / (self.end - self.begin)))
        if done > 0.0 and (step % self.every == 0 or step >= planned):
            self.silence(pl_module.student, 1.0 - (1.0 - done) ** 3)

    def silence(self, student: PreTrainedModel, share: float) -> None:
        """Silence that share of what is to go in the end."""
        now = Shares(self.shares.heads * share, self.shares.feed_forward * share)
        known = {
            key: torch.where(self.masks[key] > 0, score, -1.0) if key in self.masks else score
            for key, score in self.scores.items()
        }
        plan = choose(student.config, Scores(known), now)
        for key, kept in {**plan.heads, **plan.feed_forward}.items():
            mask = torch.zeros_like(self.scores[key])
            mask[kept] = 1.0
            self.masks[key] = mask

    def plan(self) -> Plan:
        """What is not silent."""
        kept = {key: mask.nonzero().flatten().tolist() for key, mask in self.masks.items()}
        feed = {key: numbers for key, numbers in kept.items() if key.endswith("feed")}
        return Plan(heads={key: numbers for key, numbers in kept.items() if key not in feed}, feed_forward=feed)

    def state_dict(self) -> dict[str, Any]:
        """What is silent, and what the parts were worth."""
        return {"scores": self.scores, "masks": self.masks}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it back."""
        self.scores, self.masks = dict(state_dict["scores"]), dict(state_dict["masks"])

    def _cut(self, student: PreTrainedModel) -> PreTrainedModel:
        return prune(student, self.plan())

    def _hook(self, key: str, width: int) -> Any:
        def listen(reader: nn.Module, inputs: Any) -> Any:
            said = inputs[0]
            if key in self.masks:
                said = said * self.masks[key].to(said).repeat_interleave(width)
            if reader.training and said.requires_grad:
                said.register_hook(lambda slope: self._note(key, (said.detach() * slope).float().sum(1), width))
            return (said, *inputs[1:])

        return listen

    def _note(self, key: str, said: Tensor, width: int) -> None:
        score = said.view(len(said), -1, width).sum(2).abs().mean(0)
        old = self.scores.get(key)
        self.scores[key] = score if old is None else self.memory * old.to(score) + (1.0 - self.memory) * score
