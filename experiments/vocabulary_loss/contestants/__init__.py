"""One file a contestant: a function from a job to a step, forward and backward, that gives the loss."""

from collections.abc import Callable

from torch import Tensor

from experiments.vocabulary_loss.contestants import liger, naive, private, products, slimlit, torchtune, trl
from experiments.vocabulary_loss.job import Job

CONTESTANTS: dict[str, Callable[[Job], Tensor]] = {
    "products alone, whole": products.whole,
    "products alone, in blocks": products.in_blocks,
    "naive": naive.forward_divergence,
    "slimlit": slimlit.forward_divergence,
    "slimlit, bf16": slimlit.in_bf16,
    "slimlit, Jensen-Shannon": slimlit.jensen_shannon,
    "slimlit, unequal factors": slimlit.unequal,
    "Liger": liger.forward_divergence,
    "trl": trl.forward_divergence,
    "torchtune": torchtune.forward_divergence,
    "naive, private": private.naive,
    "slimlit, private": private.in_blocks,
}
