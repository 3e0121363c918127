"""``read_tokenizer``: the tokenizer inside a GGUF file, rebuilt from its words, merges and special tokens."""

from collections.abc import Mapping
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

_CONTROL, _USER_DEFINED = 3, 4  # token types of GGUF


def read_tokenizer(fields: Mapping[str, Any], max_tokens: int) -> PreTrainedTokenizerFast:
    """The byte-level BPE of a GGUF file, padded on the right, with the file's chat template.

    ``transformers`` 5.23 reads GGUF tokenizers too, but has no rule for SmolLM's: its ids of "1984" are others.

    Guarantees:
        - decoding the ids of a text gives back the text, whatever its language;
        - every digit is a token of its own, and every special token is one id.

    Raises:
        ValueError: the file's words are cut by another rule.

    Source: ``LLAMA_VOCAB_PRE_TYPE_SMOLLM`` of llama.cpp's ``llama-vocab.cpp``.
    """
    kind, rule = fields["tokenizer.ggml.model"], fields.get("tokenizer.ggml.pre")
    if (kind, rule) != ("gpt2", "smollm"):
        raise ValueError(
            f"the GGUF file's tokenizer is {kind!r}, cut by the rule {rule!r}\nexpected 'gpt2' and 'smollm': use its own tokenizer.json"
        )
    words: list[str] = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={word: number for number, word in enumerate(words)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    for word, token_type in zip(words, fields["tokenizer.ggml.token_type"], strict=True):
        if token_type == _CONTROL:
            tokenizer.add_special_tokens([AddedToken(word, special=True, normalized=False)])
        elif token_type == _USER_DEFINED:
            tokenizer.add_tokens([AddedToken(word, normalized=False)])
    roles = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}
    special = {f"{role}_token": words[fields[f"tokenizer.ggml.{name}_token_id"]] for role, name in roles.items()}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_tokens,
        padding_side="right",
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
        chat_template=fields.get("tokenizer.chat_template"),
        **special,
    )
