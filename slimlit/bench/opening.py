"""``open_contestant``: a contestant loaded in its runtime, as a function from arrays to logits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy.typing as npt
import torch
from transformers import GenerationMixin, PreTrainedModel

from slimlit.compress import FewerWords
from slimlit.export.runtimes import open_export
from slimlit.export.writing import Writes
from slimlit.models import Head, Pretrained, read
from slimlit.models.network import Kind
from slimlit.types import Batch

Array = npt.NDArray[Any]
Inputs = dict[str, Array]
Answer = Callable[[Inputs], Array]


class Network:
    """A model in PyTorch, without gradients.

    Args:
        contestant: as :class:`~slimlit.bench.contestants.Contestant` has it.
    """

    def __init__(self, contestant: dict[str, Any]) -> None:
        head = Head(contestant["labels"], cast(Kind, contestant["kind"]))
        precision = torch.bfloat16 if contestant["precision"] == "bf16" else torch.float32
        source, plan = contestant["source"], contestant["plan"]
        whole = Pretrained(source) if plan is None else FewerWords(source, plan)
        self.model: PreTrainedModel = whole.build(head).to(precision).eval()

    def open(self, num_threads: int) -> Answer:
        """It, on so many threads."""
        torch.set_num_threads(num_threads)
        return self.answer

    def answer(self, inputs: Inputs) -> Array:
        """The logits."""
        batch = cast(Batch, {name: torch.from_numpy(values) for name, values in inputs.items()})
        with torch.inference_mode():
            return read(self.model, batch).logits.float().numpy()

    @property
    def writes(self) -> bool:
        """Whether it does."""
        return isinstance(self.model, GenerationMixin)

    def write(self, prompts: Array, num_new: int) -> int:
        """So many words after each prompt, the likeliest each time, also beyond an end; how many there were."""
        assert isinstance(self.model, GenerationMixin)
        ids = torch.from_numpy(prompts)
        settings = {"do_sample": False, "num_beams": 1, "min_new_tokens": num_new, "max_new_tokens": num_new}
        with torch.inference_mode():
            said = self.model.generate(ids, attention_mask=torch.ones_like(ids), pad_token_id=0, **settings)
        assert isinstance(said, torch.Tensor)
        return said.shape[1] - (1 if self.model.config.is_encoder_decoder else ids.shape[1])

    @property
    def num_words(self) -> int:
        """Of its vocabulary."""
        return int(self.model.get_input_embeddings().weight.shape[0])


class Export:
    """An exported folder in its own runtime."""

    def __init__(self, contestant: dict[str, Any]) -> None:
        self.folder = Path(contestant["source"])

    def open(self, num_threads: int) -> Answer:
        """It, opened anew with so many threads."""
        torch.set_num_threads(num_threads)
        run = self.run = open_export(self.folder, num_threads)
        return lambda inputs: run(inputs)["logits"]

    @property
    def writes(self) -> bool:
        """Whether it does, in the runtime it is in; open it first."""
        return isinstance(self.run, Writes)

    def write(self, prompts: Array, num_new: int) -> int:
        """So many words after each prompt, the likeliest each time, also beyond an end, while there is room; how many there were, at least."""
        assert isinstance(self.run, Writes)
        run = self.run
        return min(len(run.write(prompt, num_new, stops=[])) for prompt in prompts.tolist())

    @property
    def num_words(self) -> int:
        """Of its vocabulary; few enough for any."""
        return 100


def open_contestant(contestant: dict[str, Any]) -> Network | Export:
    """Load it."""
    return Network(contestant) if contestant["opens"] == "torch" else Export(contestant)
