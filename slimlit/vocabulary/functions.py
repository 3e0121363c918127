"""The losses over a vocabulary as functions: tensors in, one number per example out."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from slimlit.types import TopWords, WordHead
from slimlit.vocabulary.label_target import LabelTarget
from slimlit.vocabulary.mixed_target import MixedTarget
from slimlit.vocabulary.over_words import over_words
from slimlit.vocabulary.target import Target
from slimlit.vocabulary.teacher_target import Divergence, TeacherTarget
from slimlit.vocabulary.top_words import TopTarget

NOT_COUNTED = -100  # a label that asks for nothing


def vocabulary_cross_entropy(
    hidden: Float[Tensor, "batch tokens width"],
    weight: Float[Tensor, "vocabulary width"],
    bias: Float[Tensor, " vocabulary"] | None,
    labels: Int[Tensor, "batch tokens"],
    label_smoothing: float = 0.0,
    num_words: int | None = None,
    budget: float | None = None,
) -> Float[Tensor, " batch"]:
    """Cross-entropy with the word that was to be said, the mean over each example's own counted tokens, in nats.

    ``L_b = -1 / |K_b| sum_{t in K_b} sum_v q_v log softmax(W h_t + bias)_v`` with ``q = (1 - s) onehot(y_t) + s / words``.

    Args:
        hidden: the student's states.
        weight: its words.
        bias: of the words.
        labels: the word each token has to say; -100 where none is asked for.
        label_smoothing: ``s``, 0 to 1.
        num_words: the first words, which are chosen among; all unless given.
        budget: MiB of logits to hold at once; the room of 256 tokens unless given, or 64 where that is more.
    """
    target = LabelTarget(labels.clamp(min=0), label_smoothing)
    return over_words(hidden, weight, bias, target, labels != NOT_COUNTED, num_words or len(weight), budget)


def vocabulary_divergence(
    hidden: Float[Tensor, "batch tokens width"],
    weight: Float[Tensor, "vocabulary width"],
    bias: Float[Tensor, " vocabulary"] | None,
    teacher: WordHead,
    counted: Bool[Tensor, "batch tokens"],
    temperature: float = 1.0,
    divergence: Divergence = "forward",
    beta: float = 0.5,
    num_words: int | None = None,
    budget: float | None = None,
    labels: Int[Tensor, "batch tokens"] | None = None,
    label_share: float = 0.0,
) -> Float[Tensor, " batch"]:
    """A divergence between the teacher's and the student's words, the mean over each example's counted tokens, in nats.

    ``L_b = tau^2 / |K_b| sum_{t in K_b} D(p_T, p_S)``, ``p = softmax(logits / tau)``, and ``D`` is

    - ``forward``: ``KL(p_T || p_S)``, which makes a student cover all that the teacher would say;
    - ``reverse``: ``KL(p_S || p_T)``, which makes it say only what the teacher would;
    - ``jensen-shannon``: ``beta KL(p_T || m) + (1 - beta) KL(p_S || m)``, ``m = beta p_T + (1 - beta) p_S``. Over ``beta``
      it nears the forward one as ``beta`` nears 0, over ``1 - beta`` the reverse one as it nears 1.

    With ``labels``, it is ``(1 - a) L_b`` and ``a`` times the cross-entropy with them, at the temperature 1, from the same logits.

    Guarantees:
        - zero where both agree on every counted token; positive elsewhere;
        - the teacher gets no gradient; its width may differ from the student's.

    Args:
        hidden: the student's states.
        weight: the student's words.
        bias: of the words.
        teacher: its states and words.
        counted: the tokens that are compared.
        temperature: ``tau``.
        divergence: which.
        beta: of ``jensen-shannon``, between 0 and 1, both left out.
        num_words: the first words, which both know; needed where one has more rows than the other (padding).
        budget: MiB of logits to hold at once; the room of 256 tokens unless given, or 64 where that is more.
        labels: the word each counted token has to say.
        label_share: ``a``.

    Raises:
        ValueError: ``beta`` is not between 0 and 1; the vocabularies differ and ``num_words`` does not say what they share.

    Source: Agarwal et al. 2024 (GKD), arXiv:2306.13649, section 3; Hinton, Vinyals, Dean 2015 for ``tau^2``.
    """
    if divergence == "jensen-shannon" and not 0.0 < beta < 1.0:
        raise ValueError(f"beta is {beta}; expected a number between 0 and 1 (its limits are forward and reverse)")
    by_teacher = TeacherTarget(teacher, temperature, divergence, beta)
    target: Target = by_teacher
    if labels is not None and label_share != 0.0:
        target = MixedTarget(by_teacher, LabelTarget(labels.clamp(min=0)), label_share)
    shared = shared_words(len(weight), len(teacher.weight), num_words)
    return over_words(hidden, weight, bias, target, counted, shared, budget)


def top_k_divergence(
    hidden: Float[Tensor, "batch tokens width"],
    weight: Float[Tensor, "vocabulary width"],
    bias: Float[Tensor, " vocabulary"] | None,
    top: TopWords,
    counted: Bool[Tensor, "batch tokens"],
    temperature: float = 1.0,
    num_words: int | None = None,
    budget: float | None = None,
) -> Float[Tensor, " batch"]:
    """Kullback-Leibler divergence over the teacher's likeliest words and one class more: all the rest together.

    ``L_b = tau^2 / |K_b| sum_{t in K_b} [sum_{v in top} p_v log(p_v / q_v) + p_rest log(p_rest / q_rest)]`` with
    ``q_rest = 1 - sum_{v in top} q_v``: never more than the divergence over all words, equal to it with all words.

    Args:
        hidden: the student's states.
        weight: its words.
        bias: of the words.
        top: of the teacher, made at the same temperature.
        counted: the tokens that are compared.
        temperature: ``tau``.
        num_words: the first words, which are chosen among; all unless given.
        budget: MiB of logits to hold at once; the room of 256 tokens unless given, or 64 where that is more.
    """
    return over_words(hidden, weight, bias, TopTarget(top, temperature), counted, num_words or len(weight), budget)


def shared_words(ours: int, theirs: int, num_words: int | None) -> int:
    """The words that two heads choose among.

    Raises:
        ValueError: they differ and ``num_words`` does not say what they share.
    """
    if num_words is None and ours != theirs:
        raise ValueError(
            f"the student has {ours} words and the teacher {theirs}\n"
            "expected one vocabulary; where one is padded, set num_words to the words they share"
        )
    if num_words is not None and not 1 <= num_words <= min(ours, theirs):
        raise ValueError(f"num_words is {num_words}; expected 1 to {min(ours, theirs)}, the smaller vocabulary")
    return num_words or ours
