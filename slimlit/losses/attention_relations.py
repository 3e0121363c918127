"""``AttentionRelations``: which tokens resemble which, by query, key and value, as the teacher sees it (MiniLMv2)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from slimlit.losses.base import Loss, teacher_of
from slimlit.types import Batch, Configured, Output

RELATIONS = ("queries", "keys", "values")


class AttentionRelations(Loss):
    """Divergence between the self-attention relations of one teacher layer and one student layer, per example, in nats.

    Queries, keys and values are each laid side by side over their heads and split again into ``A_r`` relation heads of
    width ``d_r``. For each relation head, ``R = softmax(A A^T / sqrt(d_r))`` over the example's own tokens, and
    ``L_b = sum_{queries, keys, values} alpha / (A_r |x_b|) sum_{heads} sum_{i in x_b} KL(R^T_i || R^S_i)``.

    Since a relation is tokens by tokens, teacher and student may differ in width and in attention heads.

    Guarantees:
        - never reads a padded token, as a query or as a key; never mixes two examples, nor two documents of a packed row;
        - zero where student and teacher have the same relations.

    Args:
        student_layer: the student's layer, usually its last; layers count from 1.
        teacher_layer: the teacher's layer: its last, or an upper middle one for large teachers (the paper's section 4).
        relation_heads: ``A_r``; the teacher's attention heads unless given. More heads than that help in the paper.
        weights: ``alpha`` of the query-query, key-key and value-value relations; one of weight 0 is not computed.

    Source: Wang et al. 2021 (MiniLMv2), arXiv:2012.15828, section 3.1, equations 5-8.
    """

    def __init__(
        self,
        student_layer: int,
        teacher_layer: int,
        relation_heads: int | None = None,
        weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> None:
        super().__init__()
        if relation_heads is not None and relation_heads < 1:
            raise ValueError(f"relation_heads is {relation_heads}; expected 1 or more")
        if min(weights) < 0.0 or max(weights) == 0.0:
            raise ValueError(f"weights are {list(weights)}; expected three numbers of 0 or more, one above 0")
        self.student_layer = student_layer
        self.teacher_layer = teacher_layer
        self.relation_heads = relation_heads
        self.weights = {name: weight for name, weight in zip(RELATIONS, weights, strict=True) if weight != 0.0}
        self.student_needs = frozenset(f"{name}.{student_layer}" for name in self.weights)
        self.teacher_needs = frozenset(f"{name}.{teacher_layer}" for name in self.weights)

    def prepare(self, student: Configured, teacher: Configured | None) -> None:
        """Check layers and widths.

        Raises:
            ValueError: no teacher, an encoder-decoder, a layer that a network does not have, or a width the relation heads do not divide.
        """
        theirs = teacher_of(self, teacher).config
        if theirs.is_encoder_decoder or student.config.is_encoder_decoder:
            raise ValueError(
                "AttentionRelations reads one stack of layers, and an encoder-decoder has two\nuse HiddenStates"
            )
        self.relation_heads = self.relation_heads or int(theirs.num_attention_heads)
        for role, config, layer in (
            ("student", student.config, self.student_layer),
            ("teacher", theirs, self.teacher_layer),
        ):
            depth, width = int(config.num_hidden_layers), int(config.hidden_size)
            if not 1 <= layer <= depth:
                raise ValueError(
                    f"AttentionRelations reads layer {layer} of a {role} of {depth} layers\nexpected 1 to {depth}"
                )
            if width % self.relation_heads:
                divisors = [str(number) for number in range(1, width + 1) if width % number == 0]
                raise ValueError(
                    f"relation_heads {self.relation_heads} does not divide the {role}'s width {width}\n"
                    f"expected one of {', '.join(divisors)}"
                )

    def forward(self, student: Output, teacher: Output | None, batch: Batch) -> Float[Tensor, " batch"]:
        """The divergence of each example."""
        target = teacher_of(self, teacher)
        real = batch["attention_mask"].bool()
        heads = self.relation_heads or target_heads(target)
        total = torch.zeros(len(real), device=real.device)
        pair = real[:, None, :, None] & real[:, None, None, :]
        if "segment_ids" in batch:  # a row packed of several documents
            pair = pair & (batch["segment_ids"][:, None, :, None] == batch["segment_ids"][:, None, None, :])
        for name, weight in self.weights.items():
            theirs = log_relations(getattr(target, name)[self.teacher_layer], heads, pair)
            ours = log_relations(getattr(student, name)[self.student_layer], heads, pair)
            terms = (theirs.exp() * (theirs - ours)).masked_fill(~pair, 0.0)
            total = total + weight * terms.sum(dim=(1, 2, 3)) / (heads * real.sum(dim=-1).clamp(min=1))
        return total


def log_relations(
    vectors: Float[Tensor, "batch heads tokens head_width"],
    relation_heads: int,
    pair: Bool[Tensor, "batch 1 tokens tokens"],
) -> Float[Tensor, "batch relation_heads tokens tokens"]:
    """``log softmax(A A^T / sqrt(d_r))`` over the tokens each is paired with; other columns hold the lowest finite number."""
    batch, heads, tokens, width = vectors.shape
    joined = vectors.float().transpose(1, 2).reshape(batch, tokens, relation_heads, heads * width // relation_heads)
    real = pair.any(dim=-1)
    split = joined.transpose(1, 2).masked_fill(~real[..., None], 0.0)
    with torch.autocast(split.device.type, enabled=False):
        scores = split @ split.transpose(-1, -2) / split.shape[-1] ** 0.5
    return torch.log_softmax(scores.masked_fill(~pair, torch.finfo(scores.dtype).min), dim=-1)


def target_heads(target: Output) -> int:
    """The attention heads of the layer the teacher was read at."""
    vectors = next(iter({**target.queries, **target.keys, **target.values}.values()))
    return int(vectors.shape[1])
