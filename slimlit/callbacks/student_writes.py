"""``StudentWrites``: on-policy distillation: the student writes the answers, and the teacher says of each word what it would have said."""

import zlib
from typing import Any, cast

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from slimlit.callbacks.differential_privacy import is_private
from slimlit.callbacks.teacher_cache import TeacherCache
from slimlit.data import Pairs
from slimlit.data.examples import IGNORED
from slimlit.losses import Loss, VocabularyTargets, WeightedSum
from slimlit.models.chat_template import stop_tokens
from slimlit.models.continuation import Writing, write_all
from slimlit.models.reply_prompts import last_answer
from slimlit.tasks.base import Task
from slimlit.types import Batch


class StudentWrites(Callback):
    """For a share of the steps, puts what the student now writes after the batch's prompts in the place of its answers.

    The prompt of a row is all before its last answer; the labels are then the student's own words, which say where the
    divergence from the teacher is taken, and a stored teacher output is dropped, so that the teacher reads what was written.
    With a divergence loss this is generalised knowledge distillation, whose lambda is ``share``: 0 is supervised distillation,
    1 is on-policy. With reverse divergence and share 1 it descends the single-step part of MiniLLM's gradient: words drawn are
    taken as given, so its long-range policy gradient, teacher-mixed sampling and pretraining loss are not here; the mean
    over an answer's own words stands for its length normalisation.

    Guarantees:
        - whether a step is the student's depends on (seed, step) alone, and what it writes on (seed, step, prompt) and the
          weights alone: a run that is resumed writes the same, so do two processes, and one text less changes no other's;
          prompts alike in one step are answered alike;
        - nothing but the prompts of the batch is read: the data's answers are gone from the batch before the step;
        - the student writes without dropout and without gradient, and no random number of torch is used;
        - under differential privacy each row is written alone, so that its words are a function of its own prompt and the
          weights, which are noisy, and not even rounding ties it to its neighbours.

    Args:
        share: of the steps whose answers the student writes, above 0, to 1.
        max_new_tokens: of an answer, at most; fewer where the data's ``max_length`` leaves no room.
        temperature: of the student while it writes; 0 takes the likeliest words.
        seed: of the steps and the words.

    Source: Agarwal et al. 2024 (GKD), arXiv:2306.13649, algorithm 1; Gu et al. 2024 (MiniLLM), arXiv:2306.08543, section 2.2.
    """

    def __init__(self, share: float = 0.5, max_new_tokens: int = 64, temperature: float = 1.0, seed: int = 0) -> None:
        if not 0.0 < share <= 1.0:
            raise ValueError(f"StudentWrites.share is {share}; expected above 0 and at most 1: leave it out for none")
        if max_new_tokens < 1:
            raise ValueError(f"StudentWrites.max_new_tokens is {max_new_tokens}; expected 1 or more")
        if temperature < 0.0:
            raise ValueError(f"StudentWrites.temperature is {temperature}; expected 0 or more")
        self.share, self.max_new_tokens, self.temperature, self.seed = share, max_new_tokens, temperature, seed

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse what would train on the wrong thing.

        Raises:
            ValueError: no teacher that grades, a loss that takes the student's words for the truth, or a cache that is read
                after them.
        """
        if not isinstance(pl_module, Task) or pl_module.kind not in ("causal_lm", "seq2seq_lm"):
            raise ValueError("StudentWrites needs a task whose student writes\nexpected CausalLM or Seq2Seq")
        if pl_module.teacher is None or not pl_module.loss.teacher_needs:
            raise ValueError(
                "StudentWrites has nobody to grade what the student writes\nset model.init_args.teacher and a loss that reads it"
            )
        blind = [name for name, loss in _parts(pl_module.loss).items() if takes_labels_for_true(loss)]
        if blind:
            raise ValueError(
                f"the loss {', '.join(blind)} compares with the labels, which would be the student's own words: it would learn "
                "what it says already\nleave only losses that read the teacher (VocabularyTargets), or take StudentWrites out"
            )
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        caches = [place for place, one in enumerate(callbacks) if isinstance(one, TeacherCache)]
        if caches and self.share == 1.0:
            raise ValueError(
                "TeacherCache stores what the teacher says of the data's answers, and with StudentWrites.share 1 none is read\n"
                "take TeacherCache out of trainer.callbacks: the teacher reads what was written, at each step"
            )
        if caches and caches[-1] > callbacks.index(self):
            raise ValueError(
                "TeacherCache would put its outputs for the data's answers beside what the student wrote\n"
                "name TeacherCache before StudentWrites in trainer.callbacks"
            )

    def is_written(self, step: int) -> bool:
        """Whether the answers of a step are the student's."""
        return bool(np.random.default_rng((self.seed, step)).random() < self.share)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Write, and put it in the place of the answers."""
        step = trainer.global_step
        if not self.is_written(step):
            return
        assert isinstance(pl_module, Task)
        data = trainer.datamodule  # type: ignore[attr-defined]
        pl_module.student.eval()
        try:
            with trainer.precision_plugin.forward_context():
                stops = stop_tokens(pl_module.student, data.tokenizer)
                longest = data.max_target_length if isinstance(data, Pairs) else data.max_length
                self.replace(pl_module, batch, step, longest, stops, alone=is_private(trainer))
        finally:
            pl_module.train()

    def replace(
        self, task: Task, batch: Batch, step: int, max_length: int, stops: frozenset[int], alone: bool = False
    ) -> None:
        """Put what the student writes after each prompt of a batch in the place of its answer, in the batch itself.

        Args:
            task: with its student in eval mode.
            batch: with labels on answers; rows without any are left as they are.
            step: of the trainer.
            max_length: tokens of a row at most.
            stops: tokens that end an answer.
            alone: write each row by itself.
        """
        if "segment_ids" in batch:
            raise ValueError(
                "rows packed of several documents have no prompt\nuse StudentWrites with Dialogues or pairs"
            )
        side = "decoder_input_ids" if task.kind == "seq2seq_lm" else "input_ids"
        ids, labels = batch[side].cpu().numpy(), batch["labels"].cpu().numpy()  # type: ignore[literal-required]
        mask = batch["decoder_attention_mask" if task.kind == "seq2seq_lm" else "attention_mask"].cpu().numpy()
        starts = np.asarray([last_answer(row) for row in labels])
        asked: list[int] = np.flatnonzero(starts >= 0).tolist()
        if asked and side == "input_ids" and not starts[asked].any():
            raise ValueError(
                "the texts have no prompt: every word of them is learned\nuse StudentWrites with Dialogues or pairs"
            )
        texts = {
            row: (ids[row, : mask[row].sum()].tolist(), labels[row, : mask[row].sum()].tolist())
            for row in range(len(ids))
        }
        for rows in [[row] for row in asked] if alone else [asked] if asked else []:
            prompts = [ids[row, : starts[row] + 1].tolist() for row in rows]
            room = max(1, min(self.max_new_tokens, max_length - min(map(len, prompts)) + 1))
            how = Writing(room, stops, self.temperature)
            source = _source(batch, rows) if task.kind == "seq2seq_lm" else None
            read = [
                prompt if source is None else _source(batch, [row])["input_ids"][0].tolist()
                for row, prompt in zip(rows, prompts, strict=True)
            ]
            draws = np.stack([self._draws(step, words, room) for words in read])
            for row, prompt, words in zip(
                rows, prompts, write_all(task.student, prompts, how, draws, source), strict=True
            ):
                words = words[: max(1, max_length - len(prompt) + 1)]
                texts[row] = ([*prompt, *words[:-1]], [*[IGNORED] * (len(prompt) - 1), *words])
        _put(batch, texts, side)

    def _draws(self, step: int, prompt: list[int], number: int) -> Any:
        """Of one prompt at one step: whoever its neighbours are, and whatever its number, the same."""
        content = zlib.crc32(np.asarray(prompt, dtype="<i8").tobytes())
        return np.random.default_rng((self.seed, step, content)).random(number)


def takes_labels_for_true(loss: Loss) -> bool:
    """Whether a loss would teach the student its own words: where it reads no teacher, or labels beside it."""
    return not loss.teacher_needs or (isinstance(loss, VocabularyTargets) and loss.label_share > 0.0)


def _parts(loss: Loss) -> dict[str, Loss]:
    """A loss by name; of a sum, its parts."""
    if not isinstance(loss, WeightedSum):
        return {type(loss).__name__: loss}
    return {name: cast(Loss, part) for name, part in zip(loss.weights, loss.losses, strict=True)}


def _source(batch: Batch, rows: list[int]) -> Batch:
    """What the encoder reads of those rows; of one row alone, without the padding of its neighbours."""
    places = batch["attention_mask"][rows].sum(dim=1).max()
    return cast(Batch, {name: batch[name][rows, :places] for name in ("input_ids", "attention_mask")})


def _put(batch: Batch, texts: dict[int, tuple[list[int], list[int]]], side: str) -> None:
    longest = max(len(ids) for ids, _ in texts.values())
    old = batch[side]  # type: ignore[literal-required]
    pad = int(old[0, -1]) if len(old) else 0  # never looked at

    def padded(rows: list[list[int]], filler: int) -> Tensor:
        return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows], device=old.device)

    new: dict[str, Any] = {
        side: padded([ids for ids, _ in texts.values()], pad),
        "labels": padded([labels for _, labels in texts.values()], IGNORED),
        side.replace("input_ids", "attention_mask"): padded([[1] * len(ids) for ids, _ in texts.values()], 0),
    }
    batch.update(cast(Any, new))
    batch.pop("teacher", None)
