"""A Llama leaves as GGUF and comes back the same, weights and words."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

pytest.importorskip("gguf", reason="needs slimlit[gguf]")

from slimlit.export.gguf_file import read_gguf, write_gguf
from slimlit.models.gguf_llama import keep_llama
from slimlit.models.pretrained import quiet_files
from tests.models.gguf_files import tiny_llama
from tests.models.gguf_files import write_gguf as write_toy


def test_a_llama_that_came_as_gguf_leaves_as_gguf_with_the_same_weights_and_words(tmp_path: Path) -> None:
    network = tiny_llama()
    write_toy(tmp_path / "toy.gguf", network)
    student = tmp_path / "student"
    student.mkdir()
    for name, content in keep_llama({"toy.gguf": (tmp_path / "toy.gguf").read_bytes()}).files.items():
        (student / name).write_bytes(content)
    with quiet_files():
        network = AutoModelForCausalLM.from_pretrained(student, dtype=torch.float32).eval()
    for is_int8, least in ((False, 0.999999), (True, 0.998)):
        folder = tmp_path / str(is_int8)
        folder.mkdir()
        write_gguf(network, student, folder, is_int8)
        again = keep_llama({"model.gguf": (folder / "model.gguf").read_bytes()}).files
        assert again["tokenizer.json"] == (student / "tokenizer.json").read_bytes()
        with quiet_files():
            theirs = read_gguf(folder)
        ids = torch.arange(12).reshape(2, 6) + 3
        with torch.inference_mode():
            both = [one(input_ids=ids).logits.flatten() for one in (theirs, network)]
        assert float(torch.nn.functional.cosine_similarity(*both, dim=0)) > least
    assert (tmp_path / "True" / "model.gguf").stat().st_size < (tmp_path / "False" / "model.gguf").stat().st_size
