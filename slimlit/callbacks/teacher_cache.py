"""TeacherCache: the teacher runs over a fixed data set once; later epochs and later runs read what it said."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from tqdm import tqdm  # type: ignore[import-untyped]

from slimlit.data.masking import MaskedRows
from slimlit.losses import Loss, TopTargets, WeightedSum
from slimlit.models.fingerprint import fingerprint
from slimlit.models.teacher_outputs import TOP, FixedTexts, Identity, TeacherOutputs, folder_for, identify
from slimlit.models.teacher_pass import compute
from slimlit.tasks.base import Task
from slimlit.text.cache import cache_folder
from slimlit.types import Batch, Needs, Output
from slimlit.vocabulary import top_words


class TeacherCache(Callback):
    """Compute the teacher's outputs for each fixed split before training; put each batch's into ``batch["teacher"]``.

    What is stored is what the task reads of the teacher, and the logits always; of a language model whose words the loss reads,
    the states that enter its head instead, from which all logits are made again, at any temperature. The folder of a split is named by the
    hash of the teacher's weights and configuration, the texts, tokenizer and settings, the outputs, and the precision.

    Guarantees:
        - with a cache just filled and with one read again, training is the same bit for bit;
        - with the teacher running live it is the same within rounding (batches differ in their padding);
        - a language model's words are those the live teacher says, whatever divergence and temperature read them;
        - once filled, the teacher is not run again, in this run or a later one;
        - outputs of another teacher, of other texts, or damaged ones are refused, never used.

    Args:
        folder: where outputs are kept; by default ``teacher/`` in slimlit's cache folder.
        batch_size: examples the teacher reads at once.
        top_k: keep only the teacher's so many likeliest words of each place, and the probability of all others together, for
            ``TopTargets`` with this ``k``: 8 bytes a word, where a state takes 2 or 4 a number.
    """

    def __init__(self, folder: str | None = None, batch_size: int = 64, top_k: int | None = None) -> None:
        if batch_size < 1:
            raise ValueError(f"TeacherCache.batch_size is {batch_size}; expected 1 or more examples")
        if top_k is not None and top_k < 1:
            raise ValueError(f"TeacherCache.top_k is {top_k}; expected 1 or more words")
        self.folder = folder
        self.top_k = top_k
        self.batch_size = batch_size
        self.outputs: dict[str, TeacherOutputs] = {}
        self.fingerprints: dict[str, str] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Have the outputs for training, and for validation where there is any."""
        self._fill(trainer, pl_module, ["train", "validation"] if trainer.limit_val_batches else ["train"])

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Have the outputs for validation."""
        if trainer.state.fn != TrainerFn.FITTING:
            self._fill(trainer, pl_module, ["validation"])

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Have the outputs for the test."""
        self._fill(trainer, pl_module, ["test"])

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse texts that are not those of the cache any more."""
        if "train" in self.outputs and _splits(trainer)["train"].fingerprint != self.fingerprints["train"]:
            raise ValueError(
                "the training texts changed between epochs; TeacherCache holds the teacher's outputs for the first\n"
                "take TeacherCache out of trainer.callbacks, or keep the texts fixed"
            )

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Put the teacher's outputs into the batch."""
        self._put("train", batch)

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Put the teacher's outputs into the batch."""
        self._put("validation", batch)

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Put the teacher's outputs into the batch."""
        self._put("test", batch)

    def _put(self, split: str, batch: Batch) -> None:
        outputs = self.outputs.get(split)
        if outputs is not None:
            answers = batch["decoder_input_ids"].shape[1] if "decoder_input_ids" in batch else None
            batch["teacher"] = outputs.rows(batch["example_id"], batch["input_ids"].shape[1], answers)

    def _fill(self, trainer: Trainer, pl_module: LightningModule, names: Sequence[str]) -> None:
        assert isinstance(pl_module, Task)
        self.outputs, self.fingerprints = {}, {}
        if pl_module.teacher is None:
            rank_zero_warn("TeacherCache has no effect: the task has no teacher")
            return
        splits, top = _splits(trainer), self._top(pl_module)
        root = Path(self.folder) if self.folder else cache_folder() / "teacher"
        teacher = fingerprint(pl_module.teacher)
        for name in names:
            if name not in splits or not len(splits[name]):
                continue
            needs, precision = pl_module.teacher_needs, _precision(trainer)
            identity = identify(teacher, splits[name], needs, precision, top, pl_module.kind)
            folder = folder_for(root, identity)
            first = trainer.local_rank == 0
            is_new = first and not folder.exists()
            started = time.perf_counter()
            if is_new:
                self._compute(trainer, pl_module, folder, identity, name)
            trainer.strategy.barrier(f"teacher outputs of {name}")
            self.outputs[name] = TeacherOutputs(folder, identity, splits[name], verify=first).to(pl_module.device)
            self.fingerprints[name] = splits[name].fingerprint
            seconds, count = time.perf_counter() - started, f"{len(splits[name]):,} {name} examples"
            if pl_module.kind in ("causal_lm", "masked_lm", "seq2seq_lm"):
                num_tokens = max(1, int(self.outputs[name].answers.sum()))
                count += f" of {num_tokens:,} tokens, {self.outputs[name].num_bytes / num_tokens:,.0f} bytes a token,"
            trainer.print(
                f"teacher outputs: computed {count} in {seconds:.0f} s → {folder}"
                if is_new
                else f"teacher outputs: read {count} from {folder}"
            )

    def _top(self, task: Task) -> tuple[int, float, int | None] | None:
        """How many words to keep, at which temperature, and of how many of the first; None to keep states.

        Raises:
            ValueError: a loss reads of the teacher what would not be kept.
        """
        needs = task.teacher_needs
        if task.kind in ("causal_lm", "masked_lm", "seq2seq_lm") and "words" not in needs:
            raise ValueError(
                "TeacherCache keeps the words of a language model, and the loss reads its logits, which have no room\n"
                "use losses over words: VocabularyLabels, VocabularyTargets, TopTargets"
            )
        if self.top_k is None:
            return None
        readers = [part for part in task.loss.modules() if isinstance(part, Loss) and "words" in part.teacher_needs]
        tops = [part for part in readers if isinstance(part, TopTargets)]
        if not tops or any(not isinstance(part, TopTargets | WeightedSum) for part in readers):
            raise ValueError(
                f"TeacherCache.top_k is {self.top_k}, and the loss reads all the teacher's words\n"
                "use TopTargets alone for them, or take top_k out: states are kept then, and all words made of them"
            )
        asked = list(dict.fromkeys((part.k, part.temperature, part.num_words) for part in tops))
        if len(asked) > 1 or asked[0][0] != self.top_k:
            raise ValueError(
                f"TeacherCache.top_k is {self.top_k}, and TopTargets asks for k and temperature (and num_words) {asked}\n"
                "expected the same k, and one temperature: the left-over probability holds for it alone"
            )
        return asked[0]

    def _compute(self, trainer: Trainer, task: Task, folder: Path, identity: Identity, name: str) -> None:
        top = identity.get("top")
        needs: Needs = frozenset(identity["needs"]) - set(TOP) | ({"words"} if top else frozenset())

        def say(batch: Batch) -> Output:
            with trainer.precision_plugin.forward_context():
                output = _as_read(task.ask_teacher(trainer.strategy.batch_to_device(batch), needs))
                if top is None or output.words is None:
                    return output
                every = torch.ones(output.words.hidden.shape[:2], dtype=torch.bool, device=output.words.hidden.device)
                return replace(output, words=None, top=top_words(output.words, every, *top))

        def show(batches: Sequence[list[int]]) -> Iterator[list[int]]:
            quiet = trainer.progress_bar_callback is None or not trainer.is_global_zero
            with tqdm(total=identity["num_examples"], desc=f"teacher reads {name}", disable=quiet, leave=False) as bar:
                for rows in batches:
                    yield rows
                    bar.update(len(rows))

        compute(folder, identity, _splits(trainer)[name], say, self.batch_size, show)


def _as_read(output: Output) -> Output:
    """Under autocast a head reads its states in the lower precision: kept so, they take half the room and say the same."""
    words = output.words
    if words is None or not torch.is_autocast_enabled(words.hidden.device.type):
        return output
    low = words.hidden.to(torch.get_autocast_dtype(words.hidden.device.type))
    return replace(output, words=replace(words, hidden=low))


def _splits(trainer: Trainer) -> dict[str, FixedTexts]:
    datamodule = trainer.datamodule  # type: ignore[attr-defined]
    splits = {} if datamodule is None else datamodule.splits
    for name, split in splits.items():
        if isinstance(split, MaskedRows) and split.masking.every_epoch and name == "train":
            raise ValueError(
                "TeacherCache needs fixed texts, and other words are hidden in each epoch\n"
                "set data.init_args.masking.init_args.every_epoch to false, or take TeacherCache out of trainer.callbacks"
            )
        if not isinstance(split, FixedTexts):
            raise ValueError(
                f"TeacherCache needs fixed texts; the {name} split, a {type(split).__name__}, has no fingerprint\n"
                "take TeacherCache out of trainer.callbacks: the teacher then runs at each step"
            )
    return dict(splits)


def _precision(trainer: Trainer) -> str:
    return f"{trainer.precision}, float32 products {torch.get_float32_matmul_precision()}"
