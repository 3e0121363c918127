"""Chat templates: a dialogue as the text a model reads, tokenised once, and where in it each reply stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2.exceptions import TemplateError
from transformers import PreTrainedModel

from slimlit.models.tokenizers import Tokenizer
from slimlit.text.conversations import Message

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_CHATML_TOKENS = ("<|im_start|>", "<|im_end|>")


@dataclass(frozen=True)
class Encoded:
    """The tokens of a whole dialogue, and which of them each reply is: from its first to the one that ends the turn."""

    ids: list[int]
    replies: list[range]


def give_template(tokenizer: Tokenizer, source: str, file: str | None = None) -> None:
    """Have a tokenizer with a chat template: of a file, its own, or ChatML where it has none but ChatML's two tokens.

    The template is saved with the tokenizer, so a student made with it can be served.

    Raises:
        ValueError: it has neither a template nor ChatML's tokens, or there is no such file.
    """
    if file is not None:
        if not Path(file).is_file():
            raise ValueError(f"no such chat template: {file}\nexpected a file of Jinja, as tokenizers have it")
        tokenizer.chat_template = Path(file).read_text(encoding="utf-8")
    if tokenizer.chat_template is not None:
        return
    missing = [token for token in _CHATML_TOKENS if token not in tokenizer.get_vocab()]
    if missing:
        raise ValueError(
            f"the tokenizer {source!r} has no chat template, and ChatML needs {' and '.join(missing)}, which it lacks\n"
            "train it with them as special tokens, or give a template of its own tokens: data.init_args.template: FILE"
        )
    tokenizer.chat_template = CHATML
    tokenizer.eos_token = _CHATML_TOKENS[1]


def render(tokenizer: Tokenizer, messages: Sequence[Message], asks: bool = False) -> str:
    """The dialogue as the model reads it; where it asks, up to the place where a reply begins.

    Raises:
        ValueError: the template does not take such a dialogue.
    """
    try:
        return str(tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=asks))
    except TemplateError as problem:
        raise ValueError(f"the chat template refuses the dialogue: {problem}") from problem


def tokens_of(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """The tokens of a dialogue whose next reply is to be written."""
    whole = render(tokenizer, messages, asks=True)
    found: list[int] = tokenizer(whole, add_special_tokens=False, verbose=False)["input_ids"]  # who asks cuts it
    return found


def encode(tokenizer: Tokenizer, messages: Sequence[Message]) -> Encoded:
    """The tokens of a dialogue and its replies, found by characters in the one text that is tokenised.

    Guarantees:
        - the tokens are those of the whole text: cutting it to find the replies would move their borders;
        - a reply's first token is the one after the words that ask for it, and its last the token that ends its turn.

    Raises:
        ValueError: the template does not take it, changes a turn when another follows, or ends a reply with no token of its
            own; or the tokenizer runs a reply's beginning together with what stands before it.
    """
    whole = render(tokenizer, messages)
    one = tokenizer(whole, add_special_tokens=False, verbose=False).encodings[0]
    ids, offsets = one.ids, one.offsets  # each asking copies the whole list
    special = set(tokenizer.all_special_ids)
    replies, at = [], 0
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        asked = render(tokenizer, messages[:number], asks=True)
        start = len(asked)
        if not whole.startswith(asked) or not whole.startswith(message["content"], start):
            raise ValueError("the chat template changes a turn when another follows, so its replies are not found")
        end = start + len(message["content"])
        while offsets[at][1] <= start:
            at += 1
        if offsets[at][0] < start:
            raise ValueError("a token holds the end of the template's words and the beginning of a reply")
        first = at
        while at < len(ids) and (offsets[at][1] <= end or ids[at] not in special):
            at += 1
        if at == len(ids):
            raise ValueError("the chat template ends a reply with no special token, so nobody could learn to stop")
        replies.append(range(first, at + 1))
    return Encoded(ids, replies)


def says(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """Tokens as text, as they are."""
    text: str = tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text


def end_of_turn(tokenizer: Tokenizer) -> int:
    """The token that ends a reply.

    Raises:
        ValueError: the template has none.
    """
    found = encode(tokenizer, [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])
    return found.ids[found.replies[0][-1]]


def stop_tokens(network: PreTrainedModel, tokenizer: Tokenizer) -> frozenset[int]:
    """The tokens at which a text that the network writes is over."""
    own = network.generation_config.eos_token_id if network.generation_config is not None else None
    found = {*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id}
    if tokenizer.chat_template is not None:
        found.add(end_of_turn(tokenizer))
    return frozenset(int(token) for token in found if token is not None)
