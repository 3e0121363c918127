"""An encoder-decoder leaves as two graphs that write what it wrote, word for word, with each weight stored once."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    GenerationConfig,
    PreTrainedModel,
)

from slimlit.__main__ import main
from slimlit.data.toy import write_toy_translations
from slimlit.export.reference import answers
from slimlit.export.rules import rules_of
from slimlit.export.sample import Sample, one_text
from slimlit.export.stages import stages_of
from slimlit.export.writing import count_other_words
from slimlit.models.tokenizers import load_tokenizer
from slimlit.models.toy import write_toy_translator
from slimlit.privacy.ledger import NAME, Ledger

SMALL = {"vocab_size": 60, "d_model": 16, "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1}
MARIAN = {
    "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16, "max_position_embeddings": 32, "forced_eos_token_id": 1,
}  # fmt: skip
TWO_VOCABULARIES = {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": 30}
T5 = {"d_kv": 8, "d_ff": 16, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 2}


def loud(network: PreTrainedModel) -> PreTrainedModel:
    """Else it writes one word over and over."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(4.0)
    return network.eval()


def some_texts(words: int) -> Sample:
    random = np.random.default_rng(0)
    masks = [np.array([[1] * 9]), np.array([[1] * 7, [1] * 4 + [0] * 3])]
    batches = [
        {"input_ids": random.integers(2, words, mask.shape), "attention_mask": mask, "decoder_input_ids": random.integers(2, words, (len(mask), 5))}
        for mask in masks
    ]  # fmt: skip
    return Sample(batches, [one["decoder_input_ids"] for one in batches])


@pytest.fixture(scope="module")
def toy_translator_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``runs/words``, as ``fit`` leaves a translator, without the training."""
    folder = tmp_path_factory.mktemp("translated")
    run = folder / "runs" / "words"
    write_toy_translations(folder, num_train=8)
    write_toy_translator(folder / "model")
    network = loud(AutoModelForSeq2SeqLM.from_pretrained(folder / "model"))
    network.generation_config = GenerationConfig(
        max_new_tokens=9, num_beams=2, num_return_sequences=2, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, forced_eos_token_id=1,
        bad_words_ids=[[0], [7]], forced_bos_token_id=5, no_repeat_ngram_size=2, min_new_tokens=3,
    )  # fmt: skip
    torch.nn.init.normal_(network.final_logits_bias)
    network.save_pretrained(run / "student")
    load_tokenizer(str(folder / "model")).save_pretrained(run / "student")
    for place in (run, run / "student"):
        (place / NAME).write_text(Ledger().text())
    student = {"class_path": "slimlit.models.Pretrained", "init_args": {"source": str(folder / "model")}}
    files = {name: f"{folder}/{name}.tsv" for name in ("train", "validation", "test")}
    config = {
        "trainer": {"accelerator": "cpu", "enable_progress_bar": False},
        "model": {"class_path": "slimlit.tasks.Seq2Seq", "init_args": {"student": student}},
        "data": {
            "class_path": "slimlit.data.Pairs",
            "init_args": {**files, "tokenizer": str(run), "max_length": 16, "prefix": "see "},
        },
        "run": "words",
        "runs": "runs",
    }
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.mark.parametrize(
    ("name", "settings"), [("marian", MARIAN), ("marian", MARIAN | TWO_VOCABULARIES), ("bart", MARIAN), ("t5", T5)]
)
def test_both_stages_say_what_the_network_says_word_by_word(name: str, settings: dict[str, int]) -> None:
    network = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(name, **SMALL, **settings)).eval()
    sample = some_texts(60)
    stages = stages_of(network, sample)
    with torch.no_grad():
        for batch in sample.batches:
            ids, mask, words = (torch.from_numpy(one) for one in batch.values())
            words %= settings.get("decoder_vocab_size", 60)
            said = network(input_ids=ids, attention_mask=mask, decoder_input_ids=words).logits
            cross = stages["encoder"][0](ids, mask)["cross"]
            memory, found = None, []
            for part in words.split([2, 1, 2], dim=1):
                memory = memory or type(cross)()
                answer = stages["decoder"][0](part, mask, cross, memory)
                memory = answer["past_key_values"]
                found.append(answer["logits"])
            torch.testing.assert_close(torch.cat(found, dim=1), said, atol=1e-5, rtol=1e-4)


def test_a_text_of_so_many_tokens_has_as_many_words_in_its_answer() -> None:
    one = one_text(some_texts(60), 32)
    assert {name: array.shape for name, array in one.items()} == dict.fromkeys(some_texts(60).names, (1, 32))
    assert one["attention_mask"].all()


def test_the_exported_translator_writes_what_generate_writes_holds_every_weight_once_and_runs_without_us(
    toy_translator_run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx", reason="needs slimlit[onnx]")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs slimlit[onnx]")
    pytest.importorskip("onnxscript", reason="needs slimlit[onnx]")
    onnx_ir = pytest.importorskip("onnx_ir", reason="needs slimlit[onnx]")
    from slimlit.export import onnx_int8
    from slimlit.export.onnx_file import save_onnx
    from slimlit.export.onnx_int8_fine import quantise_finely
    from slimlit.export.shared_weights import share_weights
    from slimlit.export.translating import OnnxTranslator

    monkeypatch.chdir(toy_translator_run)
    monkeypatch.setattr(sys, "argv", ["slimlit"])
    assert main(["export", "--run", "words", "--to", "onnx", "--max_texts", "24"]) == 0
    card = json.loads(Path("runs/words/reports/export-onnx.json").read_text())
    assert card["measures"]["prompts with other words after them"] == 0
    assert card["measures"]["prompts"] == 6
    assert card["measures"]["greatest difference"] < 3e-3  # of logits in the tens
    folder, network = Path("runs/words/export/onnx"), AutoModelForSeq2SeqLM.from_pretrained("runs/words/student")
    shared = (folder / "shared.bin").stat().st_size
    positions, table = network.model.encoder.embed_positions.weight, network.get_input_embeddings().weight
    assert 0 <= shared - 4 * (table.numel() + positions.numel()) < 4096  # what lies between is less than a page
    inner = [one for name in ("encoder", "decoder") for one in onnx.load(folder / f"{name}.onnx", load_external_data=False).graph.initializer]  # fmt: skip
    alone = sum(math.prod(one.dims) for one in inner if one.data_type == 1 and not one.external_data)
    num_weights = sum(weight.numel() for weight in network.parameters())
    assert alone + shared / 4 < 1.1 * num_weights
    ran = subprocess.run([sys.executable, str(folder / "use.py"), "the red house"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    tokenizer = load_tokenizer("runs/words/student")
    ids = tokenizer(["see the red house"], return_tensors="pt")["input_ids"]
    network.generation_config.forced_eos_token_id = None
    said = network.generate(ids, num_beams=1, num_return_sequences=1, max_new_tokens=9)
    assert ran.stdout.strip() == tokenizer.decode(said[0], skip_special_tokens=True)
    assert onnxruntime.InferenceSession(str(folder / "encoder.onnx")).get_inputs()[0].shape == ["batch", "tokens"]
    monkeypatch.setattr(onnx_int8, "LEAST_SIZE", 64)
    programs = {name: onnx_ir.load(folder / f"{name}.onnx") for name in ("encoder", "decoder")}
    for program in programs.values():
        quantise_finely(program)
    share_weights(programs.values(), tmp_path / "shared.bin")
    for name, program in programs.items():
        save_onnx(program, tmp_path / f"{name}.onnx")
    assert (tmp_path / "decoder.onnx").stat().st_size < 0.7 * (folder / "decoder.onnx").stat().st_size
    batch = some_texts(27).batches[1]
    ours, theirs = (OnnxTranslator(place, rules_of(network))(batch)["logits"].ravel() for place in (folder, tmp_path))
    assert 0.97 < np.corrcoef(ours, theirs)[0, 1] < 1.0  # weights that large make much of little


def test_openvino_writes_what_generate_writes(toy_translator_run: Path, toy_decoder: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="needs slimlit[openvino]")
    pytest.importorskip("nncf", reason="needs slimlit[openvino]")
    from slimlit.export.openvino_file import write_openvino_writer
    from slimlit.export.openvino_writing import OpenVINOTranslator, OpenVINOWriter

    sample = some_texts(27)
    translator = AutoModelForSeq2SeqLM.from_pretrained(toy_translator_run / "runs" / "words" / "student").eval()
    write_openvino_writer(translator, "seq2seq_lm", sample, tmp_path, is_int8=False)
    opened = OpenVINOTranslator(tmp_path, rules_of(translator))
    assert count_other_words(translator, opened, sample, max_new_tokens=9) == (0, 2)
    decoder = loud(AutoModelForCausalLM.from_pretrained(toy_decoder))
    write_openvino_writer(decoder, "causal_lm", sample, tmp_path, is_int8=False)
    writer = OpenVINOWriter(tmp_path)
    assert count_other_words(decoder, writer, sample, max_new_tokens=9) == (0, 2)
    for batch in sample.batches:
        real = batch["attention_mask"] == 1
        said = answers(decoder, {name: batch[name] for name in ("input_ids", "attention_mask")})["logits"][real]
        np.testing.assert_allclose(writer(batch)["logits"][real], said, atol=1e-3)
