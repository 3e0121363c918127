"""Checks that a student, its teacher and the text fit together, from configurations alone."""

from collections.abc import Sequence

from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from slimlit.models.network import Head, Network
from slimlit.models.tokenizers import load_tokenizer


def check_text(
    config: PreTrainedConfig,
    role: str,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    setting: str = "max_length",
) -> None:
    """The network's embedding tables reach as far as the tokenizer and the longest text.

    Args:
        config: the network's.
        role: teacher or student.
        tokenizer: whose tokens it reads.
        max_length: tokens of the longest text.
        setting: of the data, that says so.

    Raises:
        ValueError: a token id or a position beyond the tables of ``role`` (teacher or student).
    """
    if len(tokenizer) > config.vocab_size:
        raise ValueError(
            f"the tokenizer has {len(tokenizer):,} tokens, the {role}'s vocabulary {config.vocab_size:,}\n"
            f"set data.init_args.tokenizer to the {role}'s own"
        )
    encoder = config.to_dict().get("encoder") or config.to_dict()
    positions = encoder.get("max_position_embeddings")
    if positions is None:
        return
    if encoder.get("model_type") in ("roberta", "xlm-roberta", "camembert"):
        positions -= int(encoder.get("pad_token_id") or 0) + 1  # these count positions from pad_token_id + 1
    if max_length > positions:
        raise ValueError(
            f"{setting} is {max_length}, but the {role} has positions for {positions} tokens\n"
            f"set data.init_args.{setting} to at most {positions}"
        )


def check_teacher(
    teacher: Network,
    student: PreTrainedConfig,
    head: Head,
    tokenizer: PreTrainedTokenizerBase,
    own: PreTrainedTokenizerBase | None = None,
    num_words: int | None = None,
) -> None:
    """The teacher knows the same classes, and reads the same tokens, as the student, or those of its own tokenizer.

    Args:
        teacher: to check.
        student: the student's configuration.
        head: what both answer.
        tokenizer: the student's.
        own: the teacher's, where the data gives it tokens of its own for the same words.
        num_words: the words both know, where the loss was told that one vocabulary is padded.

    Raises:
        ValueError: an untrained head, other classes, or another vocabulary.
    """
    if not teacher.is_trained_for(head):
        raise ValueError(
            f"the teacher has no trained {head.kind.replace('_', ' ')} head, so it has nothing to teach\n"
            "fine-tune it first (configs/teacher.yaml) and name that run: source: runs/teacher"
        )
    known = teacher.known_labels(head)
    if known is not None:
        check_labels(known, "teacher", head.labels)
    if own is not None:
        check_vocabulary(teacher, "teacher", own, "teacher_tokenizer")
        return
    teacher_config = teacher.config(head)
    both = sorted([teacher_config.vocab_size, student.vocab_size])
    if num_words is not None and not len(tokenizer) <= num_words <= both[0]:
        raise ValueError(
            f"the loss is told that {num_words:,} words are shared; expected {len(tokenizer):,}, those of the tokenizer, to {both[0]:,}"
        )
    if both[0] != both[1] and num_words is None:
        raise ValueError(
            f"teacher and student differ in their vocabularies: {teacher_config.vocab_size:,} and {student.vocab_size:,} tokens\n"
            "both must read the same tokens: make the student of this teacher (slimlit.models.Shrunk)"
            + (
                "\nor say how many words both know: num_words of the loss"
                if head.kind in ("causal_lm", "masked_lm", "seq2seq_lm")
                else ""
            )
            + (
                "\nor let words align them: data.init_args.teacher_tokenizer"
                if head.kind == "token_classification"
                else ""
            )
        )
    check_vocabulary(teacher, "teacher", tokenizer)


def check_labels(known: Sequence[str], role: str, labels: Sequence[str]) -> None:
    """A trained head knows the classes of the data, in their order; classes without names are taken as they come.

    Raises:
        ValueError: it does not.
    """
    unnamed = all(name == f"LABEL_{number}" for number, name in enumerate(known))
    if len(known) != len(labels) or not (unnamed or list(known) == list(labels)):
        raise ValueError(
            f"{role} and data differ in their classes\n{role}: {_short(known)}\ndata: {_short(labels)}\n"
            f"use a {role} fine-tuned on these classes, or set data.init_args.labels to the {role}'s order"
        )


def check_vocabulary(
    network: Network, role: str, tokenizer: PreTrainedTokenizerBase, setting: str = "tokenizer"
) -> None:
    """The network reads the tokens that the data's tokenizer writes.

    Raises:
        ValueError: its own tokenizer has another vocabulary.
    """
    source = network.tokenizer_source
    if source is not None and load_tokenizer(source).get_vocab() != tokenizer.get_vocab():
        raise ValueError(
            f"the {role}'s tokenizer ({source}) differs from the data's\nset data.init_args.{setting}: {source}"
        )


def _short(names: Sequence[str]) -> str:
    return f"{len(names)} classes: {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}"
