"""Methods of an attention-pooling classifier: where the pooling looked, and each token's exact share of a logit."""

from jaxtyping import Float
from torch import Tensor

from slimlit.explain.methods.reading import of_readable, undisturbed
from slimlit.explain.question import Question
from slimlit.models import PreTrainedModel, SequenceClassifier, read
from slimlit.models.shares import recorded_shares
from slimlit.types import Batch


def pooling_weights(network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
    """The weights ``a_i`` of the attention pooling, the mean over its heads: where it looked, whatever the answer.

    Guarantees:
        - never negative; of a text with a token that the pooling may see, they sum to one.

    Raises:
        ValueError: the network has no attention pooling.
    """
    _check_pooling(network, ("attention",))
    with undisturbed(network, gradients=False):
        weights = read(network, batch).pooling_weights
    assert weights is not None
    return of_readable(batch, question, weights.mean(dim=1))


def pooling_share(network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
    """What each token's last hidden state adds to the logit asked, by whichever pooling head: all that is linear after the encoder.

    ``sum_k a_ki (W_k h_i)[class]``, where ``W_k`` are the columns of the last layer that read pooling head ``k``.

    Guarantees:
        - the shares and the last layer's bias sum to the logit.

    Raises:
        ValueError: the network does not pool its tokens.
    """
    _check_pooling(network, ("attention", "mean"))
    with recorded_shares(network) as found, undisturbed(network, gradients=False):
        read(network, batch)
    return shares_of_asked(found[-1], batch, question)


def shares_of_asked(
    shares: Float[Tensor, "batch tokens classes"], batch: Batch, question: Question
) -> Float[Tensor, "batch inputs"]:
    """Each token's share of the logit asked, of its shares of all logits."""
    asked = question.classes.view(-1, 1, 1).expand(-1, shares.shape[1], 1)
    return of_readable(batch, question, shares.gather(2, asked).squeeze(2))


def can_share(network: PreTrainedModel) -> bool:
    """Whether :func:`pooling_share` has something to say of a network."""
    return isinstance(network, SequenceClassifier) and network.config.pooling in ("attention", "mean")


def has_attention_pooling(network: PreTrainedModel) -> bool:
    """Whether :func:`pooling_weights` has something to say of a network."""
    return isinstance(network, SequenceClassifier) and network.config.pooling == "attention"


def _check_pooling(network: PreTrainedModel, expected: tuple[str, ...]) -> None:
    if isinstance(network, SequenceClassifier) and network.config.pooling in expected:
        return
    name = f"its pooling is {network.config.pooling!r}" if isinstance(network, SequenceClassifier) else "it has none"
    raise ValueError(
        f"a {type(network).__name__} cannot be explained by its pooling: {name}; expected {' or '.join(expected)}\n"
        "use another method: input-gradient fits every network"
    )
