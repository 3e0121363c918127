"""Write a text of a text: translations, summaries, headlines; plainly or distilled from a teacher."""

from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, distributed

from slimlit.data.pairs import Pairs
from slimlit.losses import Loss
from slimlit.models import Network, PreTrainedModel
from slimlit.models.compatibility import check_text
from slimlit.models.generation import check_generation, generate, settle
from slimlit.models.network import Kind
from slimlit.models.word_head import check_words
from slimlit.tasks.base import MakeOptimizer
from slimlit.tasks.language_model import LanguageModel
from slimlit.tasks.optimizers import AdamW
from slimlit.tasks.text_scores import Metric, score_texts
from slimlit.types import Batch


class Seq2Seq(LanguageModel):
    """One text of each text, by an encoder-decoder.

    Training is teacher-forced: each word is to be said after the words of the target before it. Scores are the perplexity
    of the targets, and what ``metrics`` say of texts that the student writes by itself, against all references.

    Guarantees:
        - perplexity is of the whole split, on all processes: sums divided once;
        - a student tested again writes the same texts, also where they are drawn;
        - where the student begins and ends otherwise than the data, it is refused before training.

    Args:
        student: the network to train: Marian, BART, T5 and their kind.
        teacher: a trained encoder-decoder over the same tokens; without one, training is plain.
        loss: what to minimise; outputs and batch in, one number per example out.
        optimizer: called with the parameters of student and loss.
        warmup: fraction of the steps over which the learning rate rises; then it falls linearly to zero.
        freeze: parts of the student that stay as they are, by their names in it: ``model.encoder``.
        generation: how to write, by transformers' names: ``{num_beams: 4, max_new_tokens: 64}``; greedily unless said.
        metrics: of what is written: ``bleu`` and ``chrf`` for translations, ``rouge`` for summaries.
        language: of what is written: ``zh`` is scored by characters.
        num_written: texts of the validation split to write while fitting; ``test`` and ``validate`` write all.
    """

    kind: ClassVar[Kind] = "seq2seq_lm"

    def __init__(
        self,
        student: Network,
        teacher: Network | None = None,
        loss: Loss | None = None,
        optimizer: MakeOptimizer = AdamW,
        warmup: float = 0.1,
        freeze: list[str] | None = None,
        generation: dict[str, Any] | None = None,
        metrics: list[Metric] | None = None,
        language: str = "en",
        num_written: int = 100,
    ) -> None:
        super().__init__(student, teacher, loss, optimizer, warmup, freeze)
        if num_written < 0:
            raise ValueError(f"num_written is {num_written}; expected 0 or more texts")
        self.generation = dict(generation or {})
        self.score_names: list[Metric] = ["bleu", "chrf"] if metrics is None else list(metrics)
        self.language = language
        self.num_written = num_written
        self.written: dict[int, str] = {}
        self.signatures: dict[str, str] = {}

    def check_fit(self, data: Any) -> None:
        """Student, teacher and data fit together, also in what begins and ends a text.

        Raises:
            ValueError: they do not.
        """
        if not isinstance(data, Pairs):
            raise ValueError(
                f"Seq2Seq reads pairs of texts, and {type(data).__name__} has none\nuse slimlit.data.Pairs"
            )
        super().check_fit(data)
        teacher = None if self.teacher_network is None else self.teacher_network.config(self.head)
        student = self.student_network.config(self.head, teacher)
        for role, config in (("student", student), ("teacher", teacher)):
            if config is None:
                continue
            check_text(config, role, data.tokenizer, data.max_target_length, "max_target_length")
            check_generation(config, self.generation)
            words = data.tokenizer.convert_ids_to_tokens
            settings = config.to_dict()
            for name, theirs, ours, setting in (
                ("begins with", settings.get("decoder_start_token_id"), data.start_token_id, "start_token"),
                ("ends with", settings.get("eos_token_id"), data.end_token_id, "tokenizer"),
            ):
                if theirs != ours:
                    said = "nothing" if theirs is None else f"{words(theirs)!r} ({theirs})"
                    raise ValueError(
                        f"what the {role} writes {name} {said}, the data's with {words(ours)!r} ({ours})\n"
                        f"set data.init_args.{setting} to the {role}'s"
                    )

    def check_network(self, network: PreTrainedModel, data: Any) -> None:
        """The network's words are one product, where the loss reads them so.

        Raises:
            ValueError: they are not.
        """
        if "words" in self.loss.student_needs:
            few = torch.arange(min(8, int(network.config.vocab_size)), device=network.device)[None]
            check_words(network, {"input_ids": few, "decoder_input_ids": few})

    def num_bytes(self, batch: Batch, split: str) -> int:
        """Not counted: nobody reports a translation's bits per byte."""
        return 0

    def export_student(self, folder: Path) -> None:
        """Write the student as a Hugging Face folder that writes as it was tested."""
        self.student.generation_config = settle(self.student, self.generation)
        super().export_student(folder)

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:  # type: ignore[override]
        """Score a batch; what was ``written``, by row, is for callbacks."""
        super().validation_step(batch, batch_idx)
        return self._write_some(batch, "validation")

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:  # type: ignore[override]
        """Score a batch; what was ``written``, by row, is for callbacks."""
        super().test_step(batch, batch_idx)
        return self._write_some(batch, "test")

    def _write_some(self, batch: Batch, split: str) -> dict[str, Any]:
        fitting = self.trainer.state.fn == TrainerFn.FITTING
        most = self.num_written if fitting else len(self.trainer.datamodule.splits[split])  # type: ignore[attr-defined]
        written = self.write(self.student, some(batch, batch["example_id"] < most))
        self.written |= written
        return {"written": written}

    def write(self, network: PreTrainedModel, batch: Batch) -> dict[int, str]:
        """What a network writes of each text, by row."""
        rows = batch["example_id"].tolist()
        if not rows:
            return {}
        tokens = generate(network, batch, {**self.generation, "num_return_sequences": 1})
        texts = self.trainer.datamodule.tokenizer.batch_decode(tokens, skip_special_tokens=True)  # type: ignore[attr-defined]
        return {row: " ".join(text.split()) for row, text in zip(rows, texts, strict=True)}

    def on_validation_epoch_start(self) -> None:
        """Forget what an interrupted validation wrote."""
        self.written = {}

    def on_test_epoch_start(self) -> None:
        """Forget what an interrupted test wrote."""
        self.written = {}

    def _log_scores(self, split: str) -> None:
        super()._log_scores(split)
        written = gathered(self.written)
        rows = sorted(written)
        references = [self.trainer.datamodule.references[split][row] for row in rows]  # type: ignore[attr-defined]
        if rows:
            found = score_texts(self.score_names, [written[row] for row in rows], references, self.language)
            self.signatures = {name: score.signature for name, score in found.items()}
            self.log_dict({f"{split}/{name}": score.value for name, score in found.items()})

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[int, str]:
        """What the student writes of each text, by row."""
        return self.write(self.student, batch)

    def predictions(self, answers: list[Any], data: Any) -> dict[int, dict[str, Any]]:
        """Each text under its column's name, what the student writes of it, and its references where there are any."""
        split, found = data.splits["predict"], {}
        for answer in answers:
            for row, text in answer.items():
                references = data.references["predict"][row]
                known = references[0] if len(references) == 1 else references
                line = {data.source_column: split.texts[row], "prediction": text}
                found[row] = {**line, data.target_column: known} if references else line
        return found


def some(batch: Batch, chosen: Tensor) -> Batch:
    """The chosen examples of a batch."""
    return cast(Batch, {name: part[chosen] for name, part in batch.items() if isinstance(part, Tensor)})


def gathered(written: dict[int, str]) -> dict[int, str]:
    """What all processes wrote."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return written
    everyone: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(everyone, written)
    return {row: text for process in everyone for row, text in process.items()}
