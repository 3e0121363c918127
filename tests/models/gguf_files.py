"""Tiny GGUF files of random Llamas, written by the package gguf in llama.cpp's order of rows."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import LlamaConfig, LlamaForCausalLM

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = ["h e", "he l", "l o", "hel lo", "Ġ w", "1 9"]  # the last one is never used: digits stand alone
WORDS = [*SPECIAL, *sorted(ByteLevel.alphabet()), *(merge.replace(" ", "") for merge in MERGES)]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def tiny_llama(tied: bool = True, seed: int = 0, layers: int = 2) -> LlamaForCausalLM:
    """A random Llama, grouped heads and a rotary base of its own, its weights numbers of float16."""
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=64, intermediate_size=96, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-5, tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": 100.0}, initializer_range=0.3,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = LlamaForCausalLM(config).eval()
        for name, weight in network.named_parameters():
            if "norm" in name:
                weight.data.uniform_(0.5, 1.5)
            weight.data = weight.data.half().float()
    return network


def write_gguf(path: Path, network: LlamaForCausalLM, kind: str = "F32", **changed: Any) -> None:
    """Write the network with the toy words; matrices in the quantisation ``kind``; fields as ``changed``, None to leave one out."""
    config = network.config
    fields: dict[str, Any] = {
        "general.name": "toy", "general.license": "apache-2.0", "llama.context_length": config.max_position_embeddings,
        "llama.embedding_length": config.hidden_size, "llama.block_count": config.num_hidden_layers,
        "llama.feed_forward_length": config.intermediate_size, "llama.rope.dimension_count": config.head_dim,
        "llama.attention.head_count": config.num_attention_heads, "llama.rope.freq_base": 100.0,
        "llama.attention.head_count_kv": config.num_key_value_heads, "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.vocab_size": len(WORDS), "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": WORDS, "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.token_type": [3 if word in SPECIAL else 1 for word in WORDS],
        "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.padding_token_id": 2, "tokenizer.chat_template": TEMPLATE,
    }  # fmt: skip
    fields |= changed
    writer = gguf.GGUFWriter(path, fields.pop("general.architecture", "llama"))
    for name, value in fields.items():
        match value:
            case str():
                writer.add_string(name, value)
            case int():
                writer.add_uint32(name, value)
            case float():
                writer.add_float32(name, value)
            case list():
                writer.add_array(name, value)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, weight in network.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        values = weight.numpy()
        if (part := name.split(".")[-2]) in heads:  # llama.cpp's permute
            rows, columns = values.shape
            values = values.reshape(heads[part], 2, rows // heads[part] // 2, columns).swapaxes(1, 2)
            values = np.ascontiguousarray(values.reshape(rows, columns))
        quantised = gguf.GGMLQuantizationType[kind if values.ndim == 2 else "F32"]
        place = f"{names.get_name(name.removesuffix('.weight'))}.weight"
        writer.add_tensor(place, gguf.quantize(values, quantised), raw_dtype=quantised)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
