"""Explanation methods by name, and which of them fit a network; each is a :class:`~slimlit.explain.method.Method`."""

from slimlit.explain.method import Method
from slimlit.explain.methods.attention_rollout import attention_rollout
from slimlit.explain.methods.chance import random_numbers
from slimlit.explain.methods.gradient_attention import gradient_attention
from slimlit.explain.methods.gradients import gradient_norm, input_gradient
from slimlit.explain.methods.integrated_gradients import IntegratedGradients, has_captum
from slimlit.explain.methods.leave_one_out import LeaveOneOut
from slimlit.explain.methods.pooling import can_share, has_attention_pooling, pooling_share, pooling_weights
from slimlit.models import PreTrainedModel
from slimlit.models.network import Kind

METHODS: dict[str, Method] = {
    "pooling-weights": pooling_weights,
    "pooling-share": pooling_share,
    "attention-rollout": attention_rollout,
    "gradient-attention": gradient_attention,
    "input-gradient": input_gradient,
    "gradient-norm": gradient_norm,
    "integrated-gradients": IntegratedGradients(),
    "leave-one-out": LeaveOneOut(),
    "random": random_numbers,
}
FAST, SURE = "input-gradient", "leave-one-out"
UNSIGNED = frozenset({"pooling-weights", "attention-rollout", "gradient-attention", "gradient-norm"})
"""Methods whose numbers are never negative: they say how much an input mattered, not whether for or against."""


def methods_for(
    network: PreTrainedModel, kind: Kind, mask_id: int | None = None, special_ids: frozenset[int] = frozenset()
) -> dict[str, Method]:
    """The methods that can explain such an answer of a network, by name; integrated gradients only where Captum is installed.

    Args:
        network: to be explained.
        kind: of its answers.
        mask_id: the tokenizer's [MASK], where it has one: what integrated gradients start from, and a word left out becomes.
        special_ids: the tokenizer's special tokens, which are no words of a text.
    """
    pooled = kind == "sequence_classification"
    fits = {
        "pooling-weights": pooled and has_attention_pooling(network),
        "pooling-share": pooled and can_share(network),
        "integrated-gradients": has_captum(),
    }
    told: dict[str, Method] = {
        "integrated-gradients": IntegratedGradients(mask_id, special_ids),
        "leave-one-out": LeaveOneOut(mask_id),
    }
    return {name: told.get(name, method) for name, method in METHODS.items() if fits.get(name, True)}
