"""``Speaker``: a causal language model and its chat template, which answers a dialogue piece by piece."""

from collections.abc import Iterator

import numpy as np
import torch
from transformers import PreTrainedModel

from slimlit.models.architectures import ENDINGS
from slimlit.models.chat_template import give_template, says, stop_tokens, tokens_of
from slimlit.models.continuation import Memory, Writing, write
from slimlit.models.network import Head
from slimlit.models.pretrained import Pretrained
from slimlit.models.sources import read_architectures
from slimlit.models.tokenizers import Tokenizer, load_tokenizer
from slimlit.text.conversations import Message, without_first_turns

_UNFINISHED = "\ufffd"  # how a tokenizer writes part of a character


class Speaker:
    """Answers dialogues.

    Guarantees:
        - the pieces of an answer are together what its tokens say, without the one that ends the turn;
        - a dialogue too long for the model loses whole first turns, never its last.

    Args:
        source: a run, bundled name, folder or hub name.
        max_new_tokens: of an answer; unless given 256, or half of the tokens the model reads where that is less.
        temperature: 0 takes the likeliest token each time.
        seed: of what is drawn.
        top_p: tokens are drawn from the fewest likeliest that have this share together.

    Raises:
        ValueError: no such model, or one that is no causal language model, or cannot be talked to.
    """

    def __init__(
        self,
        source: str,
        max_new_tokens: int | None = None,
        temperature: float = 0.0,
        seed: int = 0,
        top_p: float = 1.0,
    ) -> None:
        names = read_architectures(source)
        if not any(name.endswith(ENDINGS["causal_lm"]) for name in names):
            raise ValueError(
                f"{source} is a {', '.join(names) or 'model of unknown kind'}, which writes nothing\n"
                "expected a causal language model: fit one (slimlit.tasks.CausalLM), or --model smollm2"
            )
        self.tokenizer: Tokenizer = load_tokenizer(source)
        give_template(self.tokenizer, source)
        network: PreTrainedModel = Pretrained(source).build(Head(kind="causal_lm"))
        self.network = network.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        self.random = np.random.default_rng(seed)
        self.memory = Memory()
        limits = (self.network.config.max_position_embeddings, self.tokenizer.model_max_length)
        self.context = min(int(limit) for limit in limits if limit)
        max_new_tokens = min(256, self.context // 2) if max_new_tokens is None else max_new_tokens
        self.how = Writing(max_new_tokens, stop_tokens(self.network, self.tokenizer), temperature, top_p)
        self.num_tokens = 0  # written so far
        if max_new_tokens >= self.context:
            raise ValueError(
                f"--max_new_tokens is {max_new_tokens}; expected fewer than the {self.context} tokens the model reads in all"
            )

    def fitted(self, messages: list[Message]) -> tuple[list[Message], list[int]]:
        """The dialogue without the first turns that leave no room for an answer, and its tokens.

        Raises:
            ValueError: the last turn alone leaves none.
        """
        kept = messages
        while len(ids := tokens_of(self.tokenizer, kept)) + self.how.max_new_tokens > self.context:
            kept = without_first_turns(kept)
            if not any(message["role"] == "user" for message in kept):
                room = self.context - self.how.max_new_tokens
                raise ValueError(
                    f"that is too long: {len(ids)} tokens, and the model reads {room} beside the {self.how.max_new_tokens} of an answer"
                )
        return kept, ids

    def answer(self, messages: list[Message]) -> Iterator[str]:
        """The next reply, in pieces as they come.

        Raises:
            ValueError: the dialogue is too long.
        """
        _, ids = self.fitted([self._tame(message) for message in messages])
        draws = self.random.random((1, self.how.max_new_tokens))
        written: list[int] = []
        said = ""
        memory, self.memory = self.memory, Memory()  # a pass that is broken off leaves its layers at odds
        for (token,) in write(self.network, [ids], self.how, draws, memory=memory):
            self.num_tokens += 1
            if token in self.how.stops:
                break
            written.append(token)
            whole = says(self.tokenizer, written)
            if not whole.endswith(_UNFINISHED):
                yield whole[len(said) :]
                said = whole
        self.memory = memory
        if rest := says(self.tokenizer, written)[len(said) :]:
            yield rest

    def _tame(self, message: Message) -> Message:
        """A message that does not end its own turn: tokens of the template in it are taken out."""
        content = message["content"]
        for token in self.tokenizer.get_added_vocab():
            content = content.replace(token, "")
        return {**message, "content": content}
