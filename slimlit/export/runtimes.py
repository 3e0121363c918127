"""``open_export``: an exported folder in the runtime it was made for, as a function from arrays to arrays."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from slimlit.export.extras import need
from slimlit.export.onnx_session import open_session
from slimlit.export.rules import Rules
from slimlit.export.sample import Array, Inputs

FACTS = "slimlit.json"  # what an exported folder says of itself
Run = Callable[[Inputs], dict[str, Array]]


def read_facts(folder: Path) -> dict[str, Any]:
    """What an exported folder says of itself: target, precision, kind, labels, inputs.

    Raises:
        ValueError: it is none of ours.
    """
    try:
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ValueError(f"{folder} is no folder that slimlit export wrote: {problem}") from problem
    return facts


def open_export(folder: Path, num_threads: int = 1) -> Run:
    """Load an exported folder in its runtime; what comes back takes the inputs its facts name and gives ``logits`` and, where
    the network pools by attention, ``pooling_weights``.

    Raises:
        ValueError: the runtime is missing, or the folder is damaged.
    """
    facts = read_facts(folder)
    opens = {
        "onnx": open_onnx,
        "openvino": open_openvino,
        "executorch": open_executorch,
        "hub": open_hub,
        "gguf": open_gguf,
    }
    return opens[facts["target"]](folder, facts, num_threads)


def open_onnx(folder: Path, facts: dict[str, Any], num_threads: int) -> Run:
    """ONNX Runtime on the CPU."""
    need("onnx", "onnxruntime")
    if facts["kind"] == "causal_lm":
        from slimlit.export.writing import Writer

        return Writer(folder, num_threads)
    if facts["kind"] == "seq2seq_lm":
        from slimlit.export.translating import OnnxTranslator

        return OnnxTranslator(folder, Rules(**facts["rules"]), num_threads)
    session = open_session(folder / "model.onnx", num_threads)
    names = [one.name for one in session.get_outputs()]

    def run(inputs: Inputs) -> dict[str, Array]:
        return dict(zip(names, session.run(names, {name: inputs[name] for name in facts["inputs"]}), strict=True))

    return run


def open_openvino(folder: Path, facts: dict[str, Any], num_threads: int) -> Run:
    """OpenVINO on the CPU, in float32: left alone it computes in bfloat16 where the processor has it."""
    from slimlit.export.openvino_writing import OpenVINOTranslator, OpenVINOWriter, answer, open_request

    if facts["kind"] == "causal_lm":
        return OpenVINOWriter(folder, num_threads)
    if facts["kind"] == "seq2seq_lm":
        return OpenVINOTranslator(folder, Rules(**facts["rules"]), num_threads)
    request, _ = open_request(folder / "openvino_model.xml", num_threads)
    return lambda inputs: answer(request, {name: inputs[name] for name in facts["inputs"]})


def open_executorch(folder: Path, facts: dict[str, Any], num_threads: int) -> Run:
    """ExecuTorch with XNNPACK, as a phone runs it; one opened before with other threads must not be run any more."""
    need("executorch", "executorch")
    import torch
    from executorch.runtime import Runtime

    hold_executorch(num_threads)
    if facts["kind"] == "causal_lm":
        from slimlit.export.phone_writing import PhoneWriter

        return PhoneWriter(folder)
    method = Runtime.get().load_program(folder / "model.pte").load_method("forward")

    def run(inputs: Inputs) -> dict[str, Array]:
        rows = []
        for row in range(len(inputs["input_ids"])):  # the graph takes one text
            given = [torch.from_numpy(inputs[name][row : row + 1].copy()) for name in facts["inputs"]]
            rows.append([one.numpy().copy() for one in method.execute(given)])
        return {name: np.concatenate([row[place] for row in rows]) for place, name in enumerate(facts["outputs"])}

    return run


def hold_executorch(num_threads: int) -> None:
    """Give ExecuTorch so many threads: it has one pool for the process, which programs loaded later use.

    Raises:
        ValueError: this ExecuTorch cannot be held, and a time of it would be of who knows how many.
    """
    from executorch.extension.pybindings import portable_lib as pool

    if not hasattr(pool, "_unsafe_reset_threadpool"):
        raise ValueError("this executorch cannot be held to a number of threads\ninstall the one in constraints.txt")
    if pool._threadpool_get_thread_count() != num_threads:
        pool._unsafe_reset_threadpool(num_threads)


def open_hub(folder: Path, facts: dict[str, Any], num_threads: int) -> Run:
    """PyTorch, through transformers alone where the architecture is stock, else through the code beside the weights."""
    from slimlit.export.hub_folder import load_folder
    from slimlit.export.reference import answers

    network = load_folder(folder, facts["kind"])
    return lambda inputs: answers(network, inputs)


def open_gguf(folder: Path, facts: dict[str, Any], num_threads: int) -> Run:
    """PyTorch, through the reader of :mod:`slimlit.models.gguf_llama`: llama.cpp has no wheel, so it is not asked."""
    need("gguf", "gguf")
    from slimlit.export.gguf_file import read_gguf
    from slimlit.export.reference import answers

    network = read_gguf(folder)
    return lambda inputs: answers(network, inputs)
