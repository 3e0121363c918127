"""A toy model that knows the words of the toy reviews, for tests and docs."""

from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizer

from slimlit.data.toy import toy_words


def write_toy_model(
    folder: Path, seed: int = 0, layers: int = 2, width: int = 32, heads: int = 2, max_positions: int = 64
) -> None:
    """Write a tiny random BERT that knows the toy words, and characters for all others, as a Hugging Face folder."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    characters = sorted({character for word in toy_words("zh") for character in word})
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        ".",
        ",",
        "'",
        *letters,
        *(f"##{x}" for x in letters),
        *characters,
    ]
    vocabulary = list(dict.fromkeys([*words, *toy_words("en")]))
    tokenizer = BertTokenizer(
        vocab={word: number for number, word in enumerate(vocabulary)}, model_max_length=max_positions
    )
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=2 * width,
        max_position_embeddings=max_positions,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
