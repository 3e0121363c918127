"""Pretrain, continue or distil a model that says the next word: GPT-2, Llama, Qwen and the like."""

from typing import Any, ClassVar

from slimlit.losses import Loss
from slimlit.models import Network
from slimlit.models.chat_template import stop_tokens
from slimlit.models.generation import check_generation, generate
from slimlit.models.network import Kind
from slimlit.tasks.base import MakeOptimizer
from slimlit.tasks.language_model import LanguageModel
from slimlit.tasks.optimizers import AdamW
from slimlit.types import Batch


class CausalLM(LanguageModel):
    """The next word, of every token. ``predict`` continues texts.

    Args:
        student: the network to train: ``Fresh`` from nothing, ``Pretrained`` to go on, ``Shrunk`` of a teacher.
        teacher: a network over the same words; without one, training is plain.
        loss: what to minimise; ``VocabularyLabels`` unless given, with a teacher for example ``VocabularyTargets``.
        optimizer: called with the parameters of student and loss.
        warmup: fraction of the steps over which the learning rate rises; then it falls linearly to zero.
        freeze: parts of the student that stay as they are, by their names in it.
        generation: how ``predict`` writes, by the names of transformers' GenerationConfig: ``{max_new_tokens: 64, do_sample:
            true, temperature: 0.7}``; the likeliest word each time, 64 at most, unless given.
    """

    kind: ClassVar[Kind] = "causal_lm"

    def __init__(
        self,
        student: Network,
        teacher: Network | None = None,
        loss: Loss | None = None,
        optimizer: MakeOptimizer = AdamW,
        warmup: float = 0.1,
        freeze: list[str] | None = None,
        generation: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(student, teacher, loss, optimizer, warmup, freeze)
        self.generation = dict(generation or {})

    def check_fit(self, data: Any) -> None:
        """The data asks for the next word.

        Raises:
            ValueError: it hides words.
        """
        if data.masking is not None:
            raise ValueError("CausalLM says the next word, and the data hides words\ntake data.init_args.masking out")
        super().check_fit(data)
        teacher = None if self.teacher_network is None else self.teacher_network.config(self.head)
        longest = int(data.splits["predict"].lengths.max()) if "predict" in data.splits else 0
        check_generation(self.student_network.config(self.head, teacher), self.generation, longest)

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """The tokens written after each text, until the text or the turn ends, and the rows they are for."""
        tokenizer = self.trainer.datamodule.tokenizer  # type: ignore[attr-defined]
        settings = {"eos_token_id": sorted(stop_tokens(self.student, tokenizer)) or None, **self.generation}
        return {"example_id": batch["example_id"], "written": generate(self.student, batch, settings)}

    def predictions(self, answers: list[Any], data: Any) -> dict[int, dict[str, Any]]:
        """Each text and how it goes on."""
        texts, found = data.splits["predict"].texts, {}
        for answer in answers:
            said = data.tokenizer.batch_decode(answer["written"], skip_special_tokens=True)
            for row, continuation in zip(answer["example_id"].tolist(), said, strict=True):
                found[row] = {"continuation": continuation, "text": texts[row]}
        return found
