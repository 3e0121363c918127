"""``attribute``: a method over any number of texts, few at a time."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.explain.method import Method
from slimlit.explain.question import Question, ask, input_ids, take
from slimlit.explain.shortening import trim
from slimlit.models import PreTrainedModel
from slimlit.types import Batch

ROWS_AT_ONCE = 16


def attribute(
    network: PreTrainedModel, batch: Batch, question: Question, method: Method, rows_at_once: int = ROWS_AT_ONCE
) -> Float[Tensor, "batch inputs"]:
    """The method's numbers for every text, short ones read together; what is padding gets zero."""
    inputs = input_ids(batch)
    found = torch.zeros(inputs.shape, dtype=torch.float32, device=inputs.device)
    num_tokens = batch["input_ids"].shape[1]
    lengths = batch["attention_mask"].sum(dim=1).cpu().numpy()
    for chosen in np.array_split(np.argsort(lengths, kind="stable"), -(-len(lengths) // rows_at_once)):
        rows = torch.from_numpy(chosen).to(inputs.device)
        length = max(1, int(lengths[chosen].max()))
        given = method(network, trim(take(batch, rows), length), ask(question, rows)).detach().float()
        found[rows, :length] = given[:, :length]
        found[rows, num_tokens:] = given[:, length:]
    return found
