"""``TrainedTokenizer`` and ``TokenShards``: what the last two stages make of the kept texts; imports nothing heavy."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class TrainedTokenizer:
    """A tokenizer made of the kept training part, and of nothing else.

    Args:
        kind: how a text is cut: ``bpe`` for models that write; ``wordpiece``, ``unigram`` or ``characters`` (Chinese) for encoders.
        vocab_size: tokens, special ones included.
        model_max_length: tokens that models with it will read at most.
        lowercase: letters lose their case (wordpiece and characters).
        special_tokens: more tokens that no text is cut into, such as <|im_start|>.
    """

    kind: Literal["bpe", "wordpiece", "unigram", "characters"] = "bpe"
    vocab_size: int = 16_384
    model_max_length: int = 512
    lowercase: bool = False
    special_tokens: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.vocab_size < 1 or self.model_max_length < 1:
            raise ValueError("tokenizer: vocab_size and model_max_length are 1 or more")
        if self.lowercase and self.kind in ("bpe", "unigram"):
            raise ValueError(
                f"tokenizer.lowercase has no effect on kind {self.kind!r}\nuse 'wordpiece', or leave it out"
            )


@dataclass(frozen=True)
class TokenShards:
    """The parts as tokens, to train on without tokenising again.

    Args:
        tokenizer: a folder, a bundled name or a hub name; null for the one this preparation trains.
        shard_tokens: a shard is closed before the document that would make it longer.
    """

    tokenizer: str | None = None
    shard_tokens: int = 2**26

    def __post_init__(self) -> None:
        if self.shard_tokens < 1:
            raise ValueError(f"shards.shard_tokens is {self.shard_tokens}; expected at least 1")
