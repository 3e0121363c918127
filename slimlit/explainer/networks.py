"""``Networks``: whose answers are explained, by which methods, and the teacher beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from slimlit.explain.method import Method
from slimlit.models import PreTrainedModel
from slimlit.models.network import Kind
from slimlit.models.tokenizers import Tokenizer


@dataclass(frozen=True)
class Networks:
    """Whose answers are explained, by which methods, and the teacher beside it where there is one.

    Args:
        student: whose answers they are.
        teacher: beside it.
        kind: of the answers.
        tokenizer: of the student.
        labels: where answers are classes.
        methods: by name.
        is_sum: whether a logit is an exact sum over tokens, by attention pooling.
        teacher_methods: the same for the teacher, whose special tokens may be others.
        teacher_pad: the teacher's padding, where it reads other tokens; None where it reads the same.
    """

    student: PreTrainedModel
    teacher: PreTrainedModel | None
    kind: Kind
    tokenizer: Tokenizer
    labels: Sequence[str]
    methods: Mapping[str, Method]
    is_sum: bool = False
    teacher_methods: Mapping[str, Method] = field(default_factory=dict)
    teacher_pad: int | None = None

    @property
    def device(self) -> torch.device:
        """Where they are."""
        found: torch.device = self.student.device
        return found

    @property
    def pad(self) -> int:
        """The number of the padding token."""
        return int(self.tokenizer.pad_token_id or 0)

    @property
    def blank(self) -> int | None:
        """What is read in the stead of a word taken away."""
        return blank_of(self.kind, self.tokenizer)

    def named(self, number: int) -> str:
        """A class, or a word of the vocabulary."""
        if self.labels:
            return self.labels[number]
        text: str = self.tokenizer.decode([number], clean_up_tokenization_spaces=False)
        return text.strip() or repr(text)[1:-1]


def blank_of(kind: Kind, tokenizer: Tokenizer) -> int | None:
    """What is read in the stead of a word taken away where a place of the text is asked, which else would know itself."""
    is_of_word = kind in ("token_classification", "masked_lm")
    return int(tokenizer.mask_token_id) if is_of_word and tokenizer.mask_token_id is not None else None
