"""``ReplyReport``: what the student answers to the last turn of each dialogue, beside what was answered."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import distributed

from slimlit.callbacks.artifacts import Cell, keep_table, show
from slimlit.callbacks.differential_privacy import is_private
from slimlit.models.chat_template import stop_tokens
from slimlit.models.continuation import Writing, write_all
from slimlit.models.reply_prompts import last_answer, real_tokens
from slimlit.tasks.base import Task
from slimlit.text.scores import bleu, chrf, rouge
from slimlit.types import Batch


class ReplyReport(Callback):
    """In ``test``, has the student write the last replies, scores them, and writes ``reports/test-replies.tsv``.

    Logs ``test/reply_rougeL``, ``test/reply_bleu`` and ``test/reply_chrf``, each of 100, over the replies written.

    Guarantees:
        - replies are written by likelihood alone, so that a student tested again writes the same;
        - each dialogue counts once, whatever process wrote its reply;
        - of a private run no text is listed.

    Args:
        num_replies: dialogues to answer, the first of the split.
        max_new_tokens: of a reply, at most.
        num_listed: replies in the table.
        language: of the replies: ``en``, ``zh`` ...; says how they are cut into words.
    """

    def __init__(
        self, num_replies: int = 200, max_new_tokens: int = 64, num_listed: int = 50, language: str = "en"
    ) -> None:
        if num_replies < 1 or max_new_tokens < 1 or num_listed < 0:
            raise ValueError(
                f"ReplyReport got num_replies {num_replies}, max_new_tokens {max_new_tokens}, num_listed {num_listed}; "
                "expected 1, 1 and 0 or more"
            )
        self.num_replies, self.max_new_tokens, self.num_listed = num_replies, max_new_tokens, num_listed
        self.language = language
        self._written: dict[int, str] = {}

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what an interrupted test wrote."""
        self._written = {}

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the last reply of each dialogue of the batch."""
        assert isinstance(pl_module, Task)
        data = trainer.datamodule  # type: ignore[attr-defined]
        prompts = prompts_of(batch, self.num_replies)
        if prompts:
            how = Writing(self.max_new_tokens, stop_tokens(pl_module.student, data.tokenizer))
            texts = write_all(pl_module.student, list(prompts.values()), how)
            words = [[token for token in text if token not in how.stops] for text in texts]
            self._written |= dict(zip(prompts, data.tokenizer.batch_decode(words), strict=True))

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Score them, and list some."""
        written = self._written
        if trainer.world_size > 1:
            everyone: list[Any] = [None] * trainer.world_size
            distributed.all_gather_object(everyone, written)
            written = {row: text for process in everyone for row, text in process.items()}
        rows = sorted(written)
        if not rows:
            return
        split = trainer.datamodule.splits["test"]  # type: ignore[attr-defined]
        said, references = [written[row].strip() for row in rows], [[split.pairs[row]] for row in rows]
        scores = {
            "rougeL": rouge(said, references, self.language)["rougeL"],
            "bleu": bleu(said, references, self.language),
            "chrf": chrf(said, references, self.language),
        }
        pl_module.log_dict({f"test/reply_{name}": score.value for name, score in scores.items()})
        if not is_private(trainer) and trainer.is_global_zero:
            listed = [
                [row, split.texts[row], split.pairs[row], text]
                for row, text in zip(rows[: self.num_listed], said, strict=False)
            ]
            cells: list[list[Cell]] = [list(one) for one in listed]
            columns = ["example_id", "prompt", "reply", "written"]
            keep_table(trainer, "reports/test-replies.tsv", columns, cells)
            show(trainer, {}, {"test/replies": (columns, cells)})


def prompts_of(batch: Batch, most: int) -> dict[int, list[int]]:
    """By row of the split, the tokens before each example's last reply; of the first ``most`` rows alone."""
    found = {}
    for row, ids, labels in zip(
        batch["example_id"].tolist(), real_tokens(batch), batch["labels"].tolist(), strict=True
    ):
        start = last_answer(labels)
        if 0 <= row < most and start >= 0:
            found[row] = ids[: start + 1]
    return found
