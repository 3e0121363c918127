"""The contract of an explanation method: a network, a batch and a question in, one number an input out."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from slimlit.explain.question import Question
from slimlit.models import PreTrainedModel
from slimlit.types import Batch


@runtime_checkable
class Method(Protocol):
    """A function that says how much each input (:func:`~slimlit.explain.question.input_ids`) spoke for the answer asked.

    Guarantees every method gives:
        - inputs that are not readable get exactly zero;
        - an example's numbers do not depend on its neighbours or on padding;
        - the network's weights, gradients and mode are left as they were, and it is read in eval mode.
    """

    def __call__(self, network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
        """Positive where the input spoke for the answer, negative where against it; larger is stronger."""
