"""One pass of a teacher over a fixed split of texts, written down as :mod:`slimlit.models.teacher_outputs` reads it."""

import json
import math
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from slimlit.models.reading import WHOLE
from slimlit.models.teacher_outputs import (
    MANIFEST,
    OF_WORDS,
    TOP,
    FixedTexts,
    Identity,
    answer_lengths,
    hash_file,
    offsets_of,
)
from slimlit.types import Batch, Output

Progress = Callable[[Sequence[list[int]]], Iterable[list[int]]]


def compute(
    folder: Path,
    identity: Identity,
    split: FixedTexts,
    read: Callable[[Batch], Output],
    batch_size: int = 64,
    progress: Progress = iter,
) -> None:
    """Run ``read`` over the whole split, longest texts first, and write its outputs to ``folder``.

    Guarantees:
        - ``folder`` appears whole or not at all: it is written beside its place and renamed;
        - where another process was faster, its outputs stay and these are dropped;
        - nobody but the user can read them.

    Args:
        folder: as :func:`folder_for` names it.
        identity: as :func:`identify` gives it.
        split: the texts.
        read: the teacher, from a batch to its output.
        batch_size: examples at once.
        progress: wraps the batches of rows, to show how far it is.
    """
    workplace = folder.parent / f".unfinished-{secrets.token_hex(8)}"
    workplace.parent.mkdir(parents=True, exist_ok=True)
    workplace.mkdir(mode=0o700)  # texts can be guessed from the states of a teacher
    try:
        with torch.no_grad():
            dtypes = _write(workplace, split, read, identity["needs"], batch_size, progress)
        hashes = {name: hash_file(workplace / f"{name}.npy") for name in dtypes}
        manifest = {**identity, "dtypes": dtypes, "sha256": hashes}
        (workplace / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        try:
            os.rename(workplace, folder)
        except OSError:
            if not (folder / MANIFEST).is_file():
                raise
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def _write(
    folder: Path,
    split: FixedTexts,
    read: Callable[[Batch], Output],
    needs: Sequence[str],
    batch_size: int,
    progress: Progress,
) -> dict[str, str]:
    order = np.argsort(-split.lengths, kind="stable").tolist()
    offsets = offsets_of(answer_lengths(split))
    arrays: dict[str, np.memmap[Any, Any]] = {}
    dtypes: dict[str, str] = {}
    for rows in progress([order[start : start + batch_size] for start in range(0, len(order), batch_size)]):
        outputs = _named(read(split.batch(rows)), needs)
        if not arrays:
            shapes = {name: _shape(name, output, len(split), int(offsets[-1])) for name, output in outputs.items()}
            _check_room(folder, sum(math.prod(shapes[name]) * outputs[name].element_size() for name in outputs))
            dtypes = {name: str(output.dtype).removeprefix("torch.") for name, output in outputs.items()}
            arrays = {name: _new_array(folder / f"{name}.npy", outputs[name], shapes[name]) for name in outputs}
        for name, output in outputs.items():
            _put(arrays[name], _as_numpy(output), rows, None if name == "logits" and output.ndim == 2 else offsets)
    for array in arrays.values():
        array.flush()
    return dtypes


def _named(output: Output, needs: Sequence[str]) -> dict[str, Tensor]:
    if output.top is not None:
        words = output.top.words.to(torch.int32)
        named = dict(zip(TOP, (output.top.log_probabilities, words, output.top.rest), strict=True))
    else:
        named = {"logits": output.logits.float()} if output.words is None else {"words": output.words.hidden}
    parts = {
        "hidden_states": output.hidden_states,
        "queries": output.queries,
        "keys": output.keys,
        "values": output.values,
    }
    if "pooling_weights" in needs and output.pooling_weights is not None:
        named["pooling_weights"] = output.pooling_weights.transpose(1, 2)
    if "shares" in needs and output.shares is not None:
        named["shares"] = output.shares
    for need in needs:
        if need not in (*WHOLE, *OF_WORDS):
            part, _, layer = need.partition(".")
            state = parts[part][int(layer)]
            named[need] = state if part == "hidden_states" else state.transpose(1, 2)
    return named


def _as_numpy(output: Tensor) -> npt.NDArray[Any]:
    # numpy has no bfloat16: its bits travel as int16
    bits = output.view(torch.int16) if output.dtype == torch.bfloat16 else output
    array: npt.NDArray[Any] = bits.cpu().numpy()
    return array


def _shape(name: str, output: Tensor, num_examples: int, num_tokens: int) -> tuple[int, ...]:
    return (
        (num_examples, *output.shape[1:]) if name == "logits" and output.ndim == 2 else (num_tokens, *output.shape[2:])
    )


def _new_array(file: Path, output: Tensor, shape: tuple[int, ...]) -> "np.memmap[Any, Any]":
    dtype = _as_numpy(output[:0]).dtype
    array: np.memmap[Any, Any] = np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=shape)
    return array


def _check_room(folder: Path, num_bytes: int) -> None:
    # a full disk under a memory map is a bus error, not an exception
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise ValueError(
            f"the teacher's outputs take {num_bytes / 2**20:,.0f} MiB; {folder.parent} has {free / 2**20:,.0f}\n"
            "give TeacherCache another folder, or drop the losses that read the teacher's inner states"
        )


def _put(
    array: npt.NDArray[Any], output: npt.NDArray[Any], rows: list[int], offsets: npt.NDArray[np.int64] | None
) -> None:
    if offsets is None:
        array[rows] = output
        return
    for state, row in zip(output, rows, strict=True):
        start, end = offsets[row], offsets[row + 1]
        array[start:end] = state[: end - start]
