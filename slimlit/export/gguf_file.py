"""``write_gguf``: a Llama as the one file that llama.cpp reads, with its tokenizer and chat template; in float32 or Q8_0."""

import json
from pathlib import Path
from typing import Any

import gguf
from jaxtyping import Float
from torch import Tensor
from transformers import LlamaForCausalLM

from slimlit.models import PreTrainedModel
from slimlit.models.gguf_llama import read_config, read_weights
from slimlit.models.tokenizers import load_tokenizer

_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4  # token types of GGUF
_RULES = {("Digits", "ByteLevel"): "smollm", ("ByteLevel",): "gpt-2"}  # how words are cut, by llama.cpp's names


def write_gguf(network: PreTrainedModel, student: Path, folder: Path, is_int8: bool) -> list[str]:
    """Write ``model.gguf`` with the package of llama.cpp's authors: its writer, its names of tensors, its Q8_0.

    Q8_0 has a scale for each 32 weights of a row; norms stay in float32. Rows of queries and keys are put in llama.cpp's order,
    which turns neighbours together where transformers turns the first half of a head with the second.

    Raises:
        ValueError: it is no plain Llama, or its tokenizer cuts words by a rule llama.cpp has no name of here.
    """
    config: Any = network.config
    rope = config.rope_parameters if config.model_type == "llama" else {}
    if rope.get("rope_type") != "default" or config.attention_bias or config.mlp_bias:
        raise ValueError(
            f"a {config.model_type} with {rope or 'its positions'} is no plain Llama, and only that leaves as GGUF\nexport it --to hub"
        )
    writer = gguf.GGUFWriter(folder / "model.gguf", "llama")
    try:
        _describe(writer, config, rope)
        _add_tokenizer(writer, student, config.vocab_size)
        names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
        heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
        for name, weight in network.state_dict().items():
            if name == "lm_head.weight" and config.tie_word_embeddings:
                continue
            kind = name.split(".")[-2]
            rows = _permute(weight, heads[kind]) if kind in heads else weight
            numbers, place = rows.detach().float().numpy(), f"{names.get_name(name.removesuffix('.weight'))}.weight"
            if is_int8 and numbers.ndim == 2 and numbers.shape[1] % 32 == 0:
                packed = gguf.quantize(numbers, gguf.GGMLQuantizationType.Q8_0)
                writer.add_tensor(place, packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
            else:
                writer.add_tensor(place, numbers)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
    return ["logits"]


def _describe(writer: gguf.GGUFWriter, config: Any, rope: dict[str, Any]) -> None:
    writer.add_name("slimlit student")
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(float(rope["rope_theta"]))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def _add_tokenizer(writer: gguf.GGUFWriter, student: Path, num_words: int) -> None:
    tokenizer = load_tokenizer(str(student))
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    cut = told["pre_tokenizer"] or {}
    rule = tuple(part.get("type") for part in cut.get("pretokenizers", [cut]))
    if told["model"]["type"] != "BPE" or rule not in _RULES or told["normalizer"] is not None:
        raise ValueError(
            f"the tokenizer is a {told['model']['type']} that cuts words by {', '.join(map(str, rule))}\n"
            "GGUF is written for byte-level BPE as GPT-2's and SmolLM's: export it --to hub"
        )
    kinds = {one["content"]: _CONTROL if one["special"] else _USER_DEFINED for one in told["added_tokens"]}
    by_number = {number: word for word, number in tokenizer.get_vocab().items()}
    words = [by_number.get(number, f"[PAD{number}]") for number in range(num_words)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_RULES[rule])
    writer.add_token_list(words)
    writer.add_token_types([kinds.get(word, _NORMAL) for word in words])
    writer.add_token_merges([one if isinstance(one, str) else " ".join(one) for one in told["model"]["merges"]])
    for add, number in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_unk_token_id, tokenizer.unk_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
    ):
        if number is not None:
            add(int(number))
    writer.add_add_bos_token(False)
    if isinstance(tokenizer.chat_template, str):
        writer.add_chat_template(tokenizer.chat_template)


def _permute(weight: Float[Tensor, "rows columns"], num_heads: int) -> Float[Tensor, "rows columns"]:
    halves = weight.reshape(num_heads, 2, -1, weight.shape[1])
    return halves.transpose(1, 2).reshape(weight.shape)


def read_gguf(folder: Path) -> PreTrainedModel:
    """The network in such a folder, by the reader that reads llama.cpp's own files here; weights in float16, then float32."""
    reader = gguf.GGUFReader(folder / "model.gguf")
    fields = {key: field.contents() for key, field in reader.fields.items()}
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    config = read_config(fields, tied="output.weight" not in tensors)
    network = LlamaForCausalLM(config)
    told = {name: weight.float() for name, weight in read_weights(config, tensors).items()}
    network.load_state_dict(told, strict=not config.tie_word_embeddings)
    return network.eval()
