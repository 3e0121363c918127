"""A toy chat model: a tiny Llama of random weights, with a byte-level tokenizer of its own and a chat template."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from slimlit.data.toy_dialogues import toy_dialogues
from slimlit.models.chat_template import CHATML
from slimlit.models.pretrained import quiet_files


def write_toy_chat_model(
    folder: Path,
    seed: int = 0,
    layers: int = 2,
    width: int = 48,
    heads: int = 4,
    max_positions: int = 256,
    template: str | None = CHATML,
) -> None:
    """Write a tiny random Llama that reads any text, and the toy dialogues in few tokens, as a Hugging Face folder."""
    folder.mkdir(parents=True, exist_ok=True)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    pairs = Tokenizer(BPE())
    pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pairs.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = BpeTrainer(vocab_size=360, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    texts = [message["content"] for messages in toy_dialogues(200) for message in messages]
    pairs.train_from_iterator([*texts, "user\n assistant\n system\n"], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pairs,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        model_max_length=max_positions,
    )
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=max_positions,
        bos_token_id=tokenizer.convert_tokens_to_ids("<|im_start|>"),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(), quiet_files():
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(folder)
