"""The programs that travel with exported language models: what they do with an empty prompt, and with one that is too long."""

import json
import runpy
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from slimlit.export import examples

ROOM = 20
NEXT = 98  # the byte b


def logits(num_words: int) -> torch.Tensor:
    said = torch.zeros(1, num_words, 256)
    said[0, -1, NEXT] = 1.0
    return said


class Session:
    """ONNX Runtime that always says the same word."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="input_ids", shape=[1, "new"])]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="logits")]

    def run(self, _: Any, given: dict[str, np.ndarray[Any, Any]]) -> list[Any]:
        assert given["input_ids"].shape[1] > 0
        return [logits(given["input_ids"].shape[1]).numpy()]


class Method:
    """ExecuTorch that always says the same word, and has room for no more than it was made for."""

    def execute(self, given: list[torch.Tensor]) -> list[torch.Tensor]:
        assert given[0].shape[1] > 0
        assert int(given[1][-1]) < ROOM
        return [logits(given[0].shape[1])]


def use(folder: Path, example: str, bos: int | None, prompts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    onnxruntime, executorch = ModuleType("onnxruntime"), ModuleType("executorch.runtime")
    onnxruntime.InferenceSession = Session  # type: ignore[attr-defined]
    opened = SimpleNamespace(load_method=lambda _: Method())
    executorch.Runtime = SimpleNamespace(get=lambda: SimpleNamespace(load_program=lambda _: opened))  # type: ignore[attr-defined]
    for module in (onnxruntime, ModuleType("executorch"), executorch):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    others = [one for one in pre_tokenizers.ByteLevel.alphabet() if one not in "ab"]
    words = {one: place for place, one in enumerate([*others[:97], "a", "b", *others[97:]])}
    tokenizer = Tokenizer(models.BPE(vocab=words, merges=[]))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    facts = {"target": "onnx", "stops": [], "bos_token_id": bos, "room": ROOM}
    (folder / "slimlit.json").write_text(json.dumps(facts))
    shutil.copyfile(Path(examples.__file__).with_name(example), folder / "use.py")
    monkeypatch.setattr(sys, "argv", ["use.py", *prompts])
    runpy.run_path(str(folder / "use.py"), run_name="__main__")


@pytest.mark.parametrize("example", ["writer_example.py", "phone_writer_example.py"])
def test_an_empty_prompt_is_read_as_the_token_that_begins_or_told_in_a_line_and_the_next_is_read(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(tmp_path, example, 97, ["", "a"], monkeypatch)
    said = capsys.readouterr()
    assert [set(line) for line in said.out.splitlines()] == [{"b"}, {"a", "b"}]
    assert not said.err
    use(tmp_path, example, None, ["", "a"], monkeypatch)
    said = capsys.readouterr()
    assert [set(line) for line in said.out.splitlines()] == [{"a", "b"}]
    assert said.err == "an empty text, and no token to begin with: give some words\n"


def test_a_prompt_too_long_for_a_phone_leaves_room_for_the_answer_and_what_was_cut_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(tmp_path, "phone_writer_example.py", None, ["a" * 300], monkeypatch)
    said = capsys.readouterr()
    assert said.out == "a" * 10 + "b" * 10 + "\n"
    assert said.err == f"cut: the first 290 of 300 tokens; there is room for {ROOM} with the answer\n"
