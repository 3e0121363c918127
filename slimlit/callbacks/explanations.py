"""Explanations: whether the student's reasons are tested and the teacher's own, validation after validation."""

import difflib
import json
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from slimlit.callbacks.artifacts import keep_text, log_now
from slimlit.callbacks.asked_texts import ANSWERED, AskedTexts, ask_entities, ask_texts
from slimlit.callbacks.differential_privacy import is_private
from slimlit.explain.agreement import TOP, agreement
from slimlit.explain.exam.attributing import attribute
from slimlit.explain.exam.faithfulness import faithfulness
from slimlit.explain.exam.intervals import mean_interval
from slimlit.explain.exam.removal import count_units, find_units, sum_by_unit
from slimlit.explain.method import Method
from slimlit.explain.methods import FAST, METHODS, methods_for
from slimlit.explain.question import removable
from slimlit.models.tokenizers import special_ids
from slimlit.tasks.base import Task

SHARES = (0.1, 0.2, 0.5)  # of the words; fewer than ERASER's, since they are read after every validation
NUM_RANDOM = 3


class Explanations(Callback):
    """Explain the same texts after every few validations, score the reasons against chance, and compare them with the teacher's.

    Logs, each a mean over texts: ``explanations/comprehensiveness`` (how much more probability the answer loses without the
    words called strongest than without random ones) and ``explanations/sufficiency`` (how much more of it they alone keep), both
    above 0 where the reasons are better than chance; and with a teacher ``explanations/rank_correlation`` (0 by chance) and
    ``explanations/top_overlap`` (beside ``top_overlap_chance``), of the words' numbers for the teacher's answer.
    Writes all of it, with intervals over texts (95 %), to ``reports/explanations.json``.

    Guarantees:
        - the texts are the same in every run on the same data: the first of each label in turn; of a tagger, the first sentences of
          each kind of first entity, which is asked for its tag;
        - training is the same bit for bit with and without this callback;
        - under privacy it explains ``texts`` alone, and nothing where there are none.

    Args:
        method: by its name in :data:`slimlit.explain.methods.METHODS`; it has to fit the teacher too.
        num_examples: texts to explain.
        every_n_validations: validations from one explaining to the next.
        texts: public texts to explain instead of validation texts; a private run explains nothing else.
    """

    def __init__(
        self,
        method: str = FAST,
        num_examples: int = 32,
        every_n_validations: int = 1,
        texts: list[str] | None = None,
    ) -> None:
        if method not in METHODS:
            near = difflib.get_close_matches(method, METHODS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"Explanations.method is {method!r}\n{hint}there are: {', '.join(METHODS)}")
        for name, value in {"num_examples": num_examples, "every_n_validations": every_n_validations}.items():
            if value < 1:
                raise ValueError(f"Explanations.{name} is {value}; expected 1 or more")
        self.method, self.num_examples, self.every_n_validations = method, num_examples, every_n_validations
        self.texts = texts or []
        self._validations = 0
        self._history: list[dict[str, Any]] = []
        self._found: AskedTexts | None = None
        self._theirs: tuple[Tensor, Float[np.ndarray, "batch words"]] | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a task whose answers are not classes, of texts or of their words; and texts that such a task cannot take.

        Raises:
            ValueError: it is another.
        """
        if not isinstance(pl_module, Task):
            return
        if pl_module.kind not in ANSWERED:
            raise ValueError(
                f"Explanations compares reasons for classes; the task is {pl_module.kind}, whose words change as it learns\n"
                "take it out of trainer.callbacks; explain the finished run: slimlit explain"
            )
        if pl_module.kind == "token_classification" and self.texts:
            raise ValueError(
                "Explanations asks a tagger for entities that are known, and Explanations.texts have no tags\n"
                "leave texts out; public sentences with their tags are given as validation: data.init_args.validation"
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find out now what cannot be explained.

        Raises:
            ValueError: the method does not fit the student or the teacher, or the teacher reads other tokens.
        """
        assert isinstance(pl_module, Task)
        if not self.texts and is_private(trainer):
            trainer.print(
                "Explanations explains nothing: the texts are private; give it public ones, Explanations.texts"
            )
        if pl_module.teacher is not None and trainer.datamodule.teacher_tokenizer is not None:  # type: ignore[attr-defined]
            raise ValueError(
                "Explanations compares numbers of the same tokens, and the teacher reads others: data.init_args.teacher_tokenizer\n"
                "take it out of trainer.callbacks; explain the finished run, which lays them side by side: slimlit explain"
            )
        self._method(trainer, pl_module, "student")
        if pl_module.teacher is not None:
            self._method(trainer, pl_module, "teacher")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Explain where it is time; not for the sanity check."""
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        self._validations += 1
        is_shown = trainer.is_global_zero and (self.texts or not is_private(trainer))
        if is_shown and self._validations % self.every_n_validations == 0:
            assert isinstance(pl_module, Task)
            with torch.inference_mode(False):  # gradients are asked for, which tensors made in validation cannot carry
                self._explain(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """What was found so far."""
        return {"validations": self._validations, "history": self._history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._validations, self._history = state_dict["validations"], list(state_dict["history"])

    def _explain(self, trainer: Trainer, task: Task) -> None:
        if self._found is None:
            is_tagger = task.kind == "token_classification"
            self._found = (
                ask_entities(trainer, self.num_examples)
                if is_tagger
                else ask_texts(trainer, self.num_examples, self.texts)
            )
        asked = self._found
        batch, words, own = asked.batch, asked.words, asked.answers(task.student)
        special = special_ids(trainer.datamodule.tokenizer)  # type: ignore[attr-defined]
        may_go = removable(batch, own, special)
        method = self._method(trainer, task, "student")
        numbers = attribute(task.student, batch, own, method)
        given = (task.student, batch, own, {self.method: numbers}, may_go, words, asked.blank)
        tested = faithfulness(*given, shares=SHARES, num_random=NUM_RANDOM)[self.method]
        found: dict[str, Any] = {
            "comprehensiveness": asdict(mean_interval(tested.comprehensiveness_gain())),
            "sufficiency": asdict(mean_interval(tested.sufficiency_gain())),
        }
        if task.teacher is not None:
            units = find_units(may_go, words)
            if self._theirs is None:
                says = asked.answers(task.teacher)
                theirs = attribute(task.teacher, batch, says, self._method(trainer, task, "teacher"))
                self._theirs = says.classes, sum_by_unit(theirs, units)
            classes, theirs_by_word = self._theirs
            ours = sum_by_unit(attribute(task.student, batch, asked.why(classes), method), units)
            counts = count_units(units)
            pairs = [(one[:count], two[:count]) for one, two, count in zip(ours, theirs_by_word, counts, strict=True)]
            alike = agreement([one for one, _ in pairs], [two for _, two in pairs])
            found |= {"rank_correlation": asdict(alike.rank_correlation), "top_overlap": asdict(alike.top_overlap)}
            found["top_overlap_chance"] = alike.chance
        self._keep(trainer, found)

    def _keep(self, trainer: Trainer, found: dict[str, Any]) -> None:
        """Log the means and write the file."""
        means = {name: value["mean"] if isinstance(value, dict) else value for name, value in found.items()}
        log_now(trainer, {f"explanations/{name}": value for name, value in means.items()})
        self._history.append({"epoch": trainer.current_epoch, "step": trainer.global_step, **found})
        assert self._found is not None
        report = {
            "method": self.method,
            "texts": self._found.name,
            "strongest words compared": TOP,
            "about": "probability gained over random orders of the same words; agreement with the teacher by word",
            "history": self._history,
        }
        keep_text(trainer, "reports/explanations.json", json.dumps(report, indent=2) + "\n")

    def _method(self, trainer: Trainer, task: Task, role: Literal["student", "teacher"]) -> Method:
        tokenizer = trainer.datamodule.tokenizer  # type: ignore[attr-defined]
        network = task.student if role == "student" else task.teacher
        assert network is not None
        fitting = methods_for(network, task.kind, tokenizer.mask_token_id, special_ids(tokenizer))
        if self.method not in fitting:
            raise ValueError(
                f"Explanations.method {self.method!r} does not fit the {role}\nuse one of {', '.join(fitting)}"
            )
        return fitting[self.method]
