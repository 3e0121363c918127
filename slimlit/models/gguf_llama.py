"""``keep_llama``: a Llama that travels as one GGUF file, made into a Hugging Face folder that everything here can load."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from slimlit.models.gguf_tokenizer import read_tokenizer
from slimlit.text.downloads.extracts import Extract, Files, by_name

try:
    import gguf
except ImportError as missing:
    raise ValueError(
        f'this model is a GGUF file, which is read by a package that is missing\ntype: {sys.executable} -m pip install "slimlit[gguf]"'
    ) from missing

_CARD = """\
---
license: {licence}
---
# {name}

A language model read by slimlit out of `{file}`. The weights are those of the file ({kinds}), each
dequantised in float32 and kept in float16; they are read in float32. The tokenizer is rebuilt from the file's words and merges.
"""


def keep_llama(files: Files) -> Extract:
    """The files of a Hugging Face folder, made of the one ``.gguf`` among ``files``; the others are kept as they are.

    Guarantees:
        - every weight of the file is in the folder once, and every weight of the network is in the file;
        - the order of rows in queries and keys is that of transformers' rotary positions, not of llama.cpp's;
        - a weight is the file's own value, dequantised in float32 and rounded once, to float16 (at most 1 part in 2048,
          or 3e-8 where that is more).

    Raises:
        ValueError: the file is not a plain Llama, or its words are cut by a rule we do not have, or a weight is lost.

    Source: the GGUF specification in ggml's docs; ``permute`` of llama.cpp's ``convert_hf_to_gguf.py``.
    """
    (name,) = (name for name in files if name.endswith(".gguf"))
    others = {other: content for other, content in files.items() if other != name}
    with tempfile.TemporaryDirectory(prefix="slimlit-") as scratch:
        path = Path(scratch) / "model.gguf"
        path.write_bytes(files[name])
        reader = gguf.GGUFReader(path)
        fields = {key: field.contents() for key, field in reader.fields.items()}
        tensors = {tensor.name: tensor for tensor in reader.tensors}
        config = read_config(fields, tied="output.weight" not in tensors)
        weights = read_weights(config, tensors)
        folder = Path(scratch) / "folder"
        tokenizer = read_tokenizer(fields, max_tokens=config.max_position_embeddings)
        tokenizer.save_pretrained(folder, save_jinja_files=False)
        config.save_pretrained(folder)
        ids = {f"{part}_token_id": getattr(config, f"{part}_token_id") for part in ("bos", "eos", "pad")}
        GenerationConfig(**ids).save_pretrained(folder)
        kinds = sorted({tensor.tensor_type.name for tensor in reader.tensors})
        file = name.rsplit("/", 1)[-1]
        card = _CARD.format(
            name=fields.get("general.name", file),
            licence=fields.get("general.license", "unknown"),
            file=file,
            kinds=", ".join(kinds),
        )
        made = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        del reader, tensors  # the file is mapped into memory until then
    made |= {"model.safetensors": save(weights, {"format": "pt"}), "README.md": card.encode()}
    num_weights = sum(weight.numel() for weight in weights.values())
    return Extract(made | by_name(others).files, {"tensors": len(weights), "weights": num_weights})


def read_config(fields: Mapping[str, Any], tied: bool) -> LlamaConfig:
    """The network that a GGUF file describes.

    Raises:
        ValueError: it is no Llama with plain rotary positions.
    """
    architecture = fields["general.architecture"]
    odd = [name for name in fields if name.startswith((f"{architecture}.rope.scaling", f"{architecture}.expert"))]
    if architecture != "llama" or odd:
        raise ValueError(
            f"the GGUF file holds a network of kind {architecture!r} {odd or ''}\nexpected a plain 'llama': use its own Hugging Face folder"
        )

    def field(name: str) -> Any:
        return fields[f"llama.{name}"]

    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        vocab_size=len(fields["tokenizer.ggml.tokens"]),
        hidden_size=field("embedding_length"),
        intermediate_size=field("feed_forward_length"),
        num_hidden_layers=field("block_count"),
        num_attention_heads=field("attention.head_count"),
        num_key_value_heads=field("attention.head_count_kv"),
        head_dim=field("rope.dimension_count"),
        max_position_embeddings=field("context_length"),
        rms_norm_eps=float(f"{field('attention.layer_norm_rms_epsilon'):.6g}"),  # 1e-05, as it was before float32
        rope_parameters={"rope_type": "default", "rope_theta": field("rope.freq_base")},
        tie_word_embeddings=tied,
        bos_token_id=fields["tokenizer.ggml.bos_token_id"],
        eos_token_id=fields["tokenizer.ggml.eos_token_id"],
        pad_token_id=fields["tokenizer.ggml.padding_token_id"],
        dtype="float32",  # what it is read in; the file is float16, half as big
    )


def read_weights(config: LlamaConfig, tensors: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights by their names in transformers, in float16.

    Raises:
        ValueError: one is lacking, has another shape, or has no place in the network.
    """
    with torch.device("meta"):
        wanted = LlamaForCausalLM(config).state_dict()
    if config.tie_word_embeddings:
        del wanted["lm_head.weight"]
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    weights, left = {}, dict(tensors)
    for name, place in wanted.items():
        tensor = left.pop(f"{names.get_name(name.removesuffix('.weight'))}.weight", None)
        if tensor is None:
            raise ValueError(f"the GGUF file lacks the weight {name}\nfetch it again, or use another file")
        weight = torch.from_numpy(np.copy(gguf.dequantize(tensor.data, tensor.tensor_type))).half()
        if weight.shape != place.shape or not bool(weight.isfinite().all()):
            raise ValueError(
                f"the weight {name} of the GGUF file is {list(weight.shape)}; expected finite numbers, {list(place.shape)}"
            )
        kind = name.split(".")[-2]
        weights[name] = _unpermute(weight, heads[kind]) if kind in heads else weight
    if left:
        raise ValueError(f"the GGUF file has weights that a plain Llama lacks: {', '.join(sorted(left)[:3])}")
    return weights


def _unpermute(weight: Float[Tensor, "rows columns"], num_heads: int) -> Float[Tensor, "rows columns"]:
    """llama.cpp turns neighbouring rows of a head together, transformers the first half with the second."""
    pairs = weight.reshape(num_heads, -1, 2, weight.shape[1])
    return pairs.transpose(1, 2).reshape(weight.shape)
