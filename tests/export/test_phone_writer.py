"""A language model leaves for phones as one program that remembers what it read and writes what it wrote, word for word."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, BloomConfig, GPT2Config, GPT2LMHeadModel, GPTNeoConfig, MistralConfig
from transformers.configuration_utils import PreTrainedConfig

from slimlit.export.fine_linear import FineLinear
from slimlit.export.remembering import Remembering, TiedHead
from slimlit.models.pretrained import quiet_files
from slimlit.models.toy import write_toy_decoder
from slimlit.privacy.ledger import NAME, Ledger


@pytest.fixture
def causal_run(toy_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``runs/writer``, a finished run whose student, of one layer, writes more than one word."""
    run, start = tmp_path / "runs" / "writer", tmp_path / "start"
    write_toy_decoder(start, layers=1)
    shutil.copytree(start, run / "student")
    with quiet_files():
        network = AutoModelForCausalLM.from_pretrained(start)
        with torch.no_grad():
            for weight in network.parameters():
                weight.mul_(4.0)  # else it writes one word over and over
        network.save_pretrained(run / "student")
    (run / "student" / NAME).write_text(Ledger().text())
    (run / NAME).write_text(Ledger().text())
    student = {"class_path": "slimlit.models.Pretrained", "init_args": {"source": str(start)}}
    data = {"train": str(toy_text), "tokenizer": str(start), "max_length": 24, "batch_size": 8}
    config = {
        "trainer": {"accelerator": "cpu", "enable_progress_bar": False},
        "model": {"class_path": "slimlit.tasks.CausalLM", "init_args": {"student": student}},
        "data": {"class_path": "slimlit.data.LanguageModelling", "init_args": data},
        "run": "writer",
        "runs": "runs",
    }
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    return run


def test_executorch_writes_what_generate_writes_holds_every_weight_once_and_runs_without_us(causal_run: Path) -> None:
    pytest.importorskip("executorch", reason="needs slimlit[executorch]")
    sizes = {}
    for precision in (
        "fp32",
        "int8",
    ):  # in a process of its own: ExecuTorch traces with numbers in the place of tensors
        options = ["--run", "writer", "--to", "executorch", "--precision", precision, "--max_texts", "16"]
        made = subprocess.run(
            [sys.executable, "-m", "slimlit", "export", *options, "--allow", "cosine"], capture_output=True, text=True
        )
        assert made.returncode == 0, made.stderr
        name = "executorch" if precision == "fp32" else "executorch-int8"
        card = json.loads((causal_run / "reports" / f"export-{name}.json").read_text())
        sizes[precision] = card["files"]["model.pte"]
        if precision == "fp32":
            assert card["measures"]["greatest difference"] < 1e-3
            assert card["measures"]["prompts with other words after them"] == 0
        assert card["measures"]["prompts"] == 5
        assert card["measures"]["least cosine"] > 0.99
    weights = (causal_run / "student" / "model.safetensors").stat().st_size
    assert sizes["fp32"] < weights + 2**17  # a graph beside them
    program = [sys.executable, str(causal_run / "export" / "executorch" / "use.py"), "the film"]
    ran = subprocess.run(program, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("the film")
    room = json.loads((causal_run / "export" / "executorch" / "slimlit.json").read_text())["room"]
    assert (
        f"room for {room} tokens of prompt and answer"
        in (causal_run / "export" / "executorch" / "README.md").read_text()
    )


@pytest.mark.parametrize("pieces", [[12], [7, 1, 1, 3]])
def test_what_is_remembered_answers_as_the_whole_text_whatever_pieces_it_comes_in(pieces: list[int]) -> None:
    torch.manual_seed(0)
    network = GPT2LMHeadModel(GPT2Config(vocab_size=60, n_positions=32, n_embd=16, n_layer=2, n_head=2)).eval()
    network.set_attn_implementation("eager")
    ids = torch.randint(0, 60, (1, 12))
    with torch.inference_mode():
        wanted = network(input_ids=ids).logits
        writer = Remembering(network, room=16)
        network.set_output_embeddings(TiedHead(network.get_input_embeddings()))
        for _ in range(2):  # words at place 0 begin a text: nothing before them is read
            said, place = [], 0
            for piece in pieces:
                places = torch.arange(place, place + piece)
                said.append(writer(ids[:, places], places))
                place += piece
            torch.testing.assert_close(torch.cat(said, dim=1), wanted, atol=1e-5, rtol=1e-5)


SIZES = {"vocab_size": 20, "hidden_size": 16}
FORGET = [
    MistralConfig(**SIZES, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, sliding_window=4),
    GPTNeoConfig(**SIZES, num_layers=2, attention_types=[[["global", "local"], 1]], num_heads=2, window_size=8),
    BloomConfig(**SIZES, n_layer=1, n_head=2),
]  # fmt: skip


@pytest.mark.parametrize("config", FORGET, ids=lambda config: config.model_type)
def test_a_network_that_answers_pieces_otherwise_than_the_whole_is_refused_by_name(config: PreTrainedConfig) -> None:
    torch.manual_seed(0)
    network = AutoModelForCausalLM.from_config(config).eval()
    network.set_attn_implementation("eager")
    with pytest.raises(ValueError, match=f"a {config.model_type} remembers in a way this export does not know"):
        Remembering(network, room=16)


def test_a_fine_map_reads_in_sixteen_bits_through_a_product_of_eight() -> None:
    torch.manual_seed(0)
    linear = torch.nn.Linear(64, 48).double()
    fine = FineLinear(linear).double()
    x = torch.randn(1, 5, 64, dtype=torch.float64)
    x[..., 3] = 500.0  # a giant: one scale a row leaves nothing of the others

    def rounded(inputs: torch.Tensor) -> torch.Tensor:
        """As a runtime does: each row between its own ends."""
        low, high = inputs.amin(-1, keepdim=True).clamp(max=0), inputs.amax(-1, keepdim=True).clamp(min=0)
        scale = (high - low) / 255
        return (torch.round(inputs / scale + torch.round(-low / scale)) - torch.round(-low / scale)) * scale

    fine.linear.register_forward_pre_hook(lambda _, inputs: (rounded(inputs[0]),))
    with torch.no_grad():
        step = 500.0 / 127 / 254 / 2  # of the second rounding, at most
        bound = step * linear.weight.abs().sum(dim=1) + 1e-6
        assert ((fine(x) - linear(x)).abs() <= bound).all()
        assert ((torch.nn.functional.linear(rounded(x), linear.weight, linear.bias) - linear(x)).abs() > bound).any()
