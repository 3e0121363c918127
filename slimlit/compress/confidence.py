"""``confidence``: how surely each attention head looks at one token, the first and the last of a text apart."""

from jaxtyping import Bool, Float
from torch import Tensor


def confidence(
    attention: Float[Tensor, "batch heads queries keys"],
    queries: Bool[Tensor, "batch queries"],
    keys: Bool[Tensor, "batch keys"],
) -> Float[Tensor, "batch heads"]:
    """The greatest weight that each token gives to another token of the text, as the mean over its real tokens.

    The first and last token of a text are no one's aim: there ([CLS], [SEP], the end of a sentence, the first word of a language
    model) attention rests where a head has nothing to say. A text of two tokens or fewer has 0.

    Args:
        attention: probabilities.
        queries: which tokens look; padding does not.
        keys: which tokens are looked at.

    Source: Voita et al. 2019, arXiv:1905.09418, section 5.2, where the end of the sentence alone is left out.
    """
    after, before = keys.cumsum(dim=1), keys.flip(1).cumsum(dim=1).flip(1)
    inner = keys & (after > 1) & (before > 1)
    greatest = attention.masked_fill(~inner[:, None, None, :], 0.0).amax(dim=-1)
    real = queries[:, None, :].to(greatest.dtype)
    return (greatest * real).sum(dim=-1) / real.sum(dim=-1).clamp(min=1)
