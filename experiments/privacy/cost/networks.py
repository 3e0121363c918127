"""The networks, batches and losses that are timed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers as hf
from torch import Tensor, nn
from torch.nn import functional

from slimlit.types import Batch


@dataclass(frozen=True)
class Job:
    """One network, and the size of the batches it trains on; every text is as long as ``tokens``.

    Args:
        make: the network.
        batch_size: texts of a step.
        tokens: tokens of a text.
        target: the most a private step may cost, as a multiple of a plain one.
    """

    make: Callable[[], nn.Module]
    batch_size: int
    tokens: int
    target: float

    def batch(self) -> Batch:
        """A batch of random words."""
        random = torch.Generator().manual_seed(0)
        shape = (self.batch_size, self.tokens)
        return Batch(
            input_ids=torch.randint(1, 29_000, shape, generator=random),
            attention_mask=torch.ones(shape, dtype=torch.long),
            labels=torch.randint(0, 2, shape[:1], generator=random),
            example_id=torch.arange(self.batch_size),
        )


def encoder(width: int, layers: int) -> nn.Module:
    """A BERT classifier without dropout, whose random numbers would blur the comparison."""
    config = hf.BertConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return hf.BertForSequenceClassification(config)


def language_model(width: int, layers: int, words: int = 30_000) -> nn.Module:
    """A GPT-2 whose word table is also its output."""
    off: dict[str, Any] = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    config = hf.GPT2Config(vocab_size=words, n_embd=width, n_layer=layers, n_head=width // 64, n_positions=512, **off)
    return hf.GPT2LMHeadModel(config)


JOBS = {
    "encoder 4x256, 32 x 128": Job(lambda: encoder(256, 4), 32, 128, 1.15),
    "encoder 2x768, 8 x 128": Job(lambda: encoder(768, 2), 8, 128, 1.08),
    "encoder 2x768, 32 x 128": Job(lambda: encoder(768, 2), 32, 128, 1.08),
    "tied GPT-2 4x256, 30k words, 16 x 128": Job(lambda: language_model(256, 4), 16, 128, 1.15),
}


def losses_of(network: nn.Module, batch: Batch) -> Tensor:
    """One cross-entropy an example."""
    logits = network(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    if logits.dim() == 2:
        return functional.cross_entropy(logits, batch["labels"], reduction="none")
    following = functional.pad(batch["input_ids"], (0, 1), value=-100)[:, 1:]
    each = functional.cross_entropy(logits.flatten(0, 1), following.flatten(), reduction="none", ignore_index=-100)
    return each.view(following.shape).sum(1) / (logits.shape[1] - 1)
