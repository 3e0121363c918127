"""A teacher's stored outputs for a fixed split of texts: memory-mapped arrays in a folder named by their origin."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int
from torch import Tensor, nn

from slimlit.models.network import Kind
from slimlit.types import Batch, Needs, Output, TopWords

FORMAT = 1
MANIFEST = "manifest.json"
Identity = dict[str, Any]
TOP = ("top_logs", "top_words", "top_rest")
OF_WORDS = ("words", *TOP)  # kept in the place of a language model's logits
OF_TOKENS = ("pooling_weights", "shares")  # of a classifier's tokens, heads or classes last


@runtime_checkable
class FixedAnswers(Protocol):
    """Texts whose words are asked on another side: a decoder's."""

    @property
    def answer_lengths(self) -> npt.NDArray[Any]:
        """The places of each example that may be asked a word."""


@runtime_checkable
class FixedTexts(Protocol):
    """A split whose batches are the same in every epoch and every run with the same ``fingerprint``."""

    @property
    def fingerprint(self) -> str:
        """The hash of texts, tokenizer and settings."""

    @property
    def lengths(self) -> npt.NDArray[Any]:
        """The tokens of each example."""

    def batch(self, rows: Sequence[int]) -> Batch:
        """Those examples, padded on the right."""

    def __len__(self) -> int: ...


def identify(
    teacher: str,
    split: FixedTexts,
    needs: Needs,
    precision: str,
    top: tuple[int, float, int | None] | None = None,
    kind: Kind = "sequence_classification",
) -> Identity:
    """All that decides what the outputs are: the teacher, the texts, the outputs asked for, the precision.

    Args:
        teacher: its :func:`~slimlit.models.fingerprint.fingerprint`.
        split: the texts.
        needs: outputs beyond the logits, or with ``words`` instead of them.
        precision: of the arithmetic, in words.
        top: how many of the likeliest words to keep, at what temperature, and of how many of the first (None: of all), in
            the place of ``words``.
        kind: of the teacher's head: logits of ``token_classification`` are kept by token, as states are.
    """
    if top is not None:
        needs = (needs - {"words"}) | set(TOP)
    found = {
        "format": FORMAT,
        "kind": kind,
        "teacher": teacher,
        "texts": split.fingerprint,
        "num_examples": len(split),
        "needs": sorted(needs if needs & set(OF_WORDS) else needs | {"logits"}),
        "precision": precision,
    }
    return found if top is None else {**found, "top": [part for part in top if part is not None]}


def folder_for(root: Path, identity: Identity) -> Path:
    """The folder in ``root`` that holds, or will hold, these outputs; its name is the hash of their identity."""
    return root / hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


class TeacherOutputs:
    """The stored outputs of one split, ready to be read by ``example_id``.

    Logits of texts are held in memory; states and logits by token stay on disk, memory-mapped, and are read where a batch needs
    them. Of a language model's words the states that enter its head are kept: all logits, at any temperature, in the room of one
    state.
    """

    def __init__(self, folder: Path, identity: Identity, split: FixedTexts, verify: bool = True) -> None:
        """Open what :func:`compute` wrote.

        Args:
            folder: as :func:`folder_for` names it.
            identity: what the caller expects to find.
            split: the texts the outputs belong to.
            verify: hash every file; off for further processes of a job whose first has done so.

        Raises:
            ValueError: the folder holds something else, or files that are not as they were written.
        """
        dtypes = _checked_manifest(folder, identity, verify)
        arrays = {name: _open(folder / f"{name}.npy", dtypes[name]) for name in dtypes}
        in_memory = "logits" in arrays and identity["kind"] != "token_classification"
        self.logits = arrays.pop("logits").clone().float() if in_memory else None
        self.states = arrays
        self.answers = torch.as_tensor(np.asarray(answer_lengths(split)), dtype=torch.int64)
        self.starts = torch.as_tensor(offsets_of(answer_lengths(split))[:-1])
        num_texts = len(split) if self.logits is None else len(self.logits)
        num_places = int(self.answers.sum())
        if any(len(state) != num_places for state in arrays.values()) or num_texts != len(split):
            raise _refusal(folder, "its arrays have other sizes than the texts")

    @property
    def num_bytes(self) -> int:
        """What is kept, on disk and in memory."""
        held = [*self.states.values(), *([] if self.logits is None else [self.logits])]
        return sum(state.numel() * state.element_size() for state in held)

    def to(self, device: torch.device) -> "TeacherOutputs":
        """The same with its logits on ``device``, where they are read without waiting for it."""
        self.logits = None if self.logits is None else self.logits.to(device)
        return self

    def rows(self, example_id: Int[Tensor, " batch"], tokens: int, answers: int | None = None) -> Output:
        """The outputs of those examples, states padded with zeros to ``tokens``, on the device of ``example_id``.

        Where there is a decoder, states are its own, and padded to ``answers``.

        An empty example, -1, gets another's logits and states of zero; its loss has no weight.
        """
        logits = None if self.logits is None else self.logits.index_select(0, example_id.clamp(min=0))
        if logits is not None and not self.states:
            return Output(logits=logits)
        rows = example_id.cpu()
        width = tokens if answers is None else answers
        groups: dict[str, dict[int, Tensor]] = {"hidden_states": {}, "queries": {}, "keys": {}, "values": {}}
        answered: dict[str, Tensor] = {}
        of_tokens: dict[str, Tensor] = {}
        for name, flat in self.states.items():
            state = _padded(flat, self.starts[rows], self.answers[rows] * (rows >= 0), width)
            if name in OF_WORDS:
                answered[name] = state.to(example_id.device)
                continue
            if name == "logits":
                logits = state.to(example_id.device)
                continue
            if name in OF_TOKENS:
                of_tokens[name] = state.to(example_id.device)
                continue
            part, _, layer = name.partition(".")
            state = state if part == "hidden_states" else state.transpose(1, 2)
            groups[part][int(layer)] = state.to(example_id.device)
        if logits is None:
            logits = next(iter(answered.values())).new_zeros(len(rows), width, 0).float()
        top = None
        if TOP[0] in answered:
            logs, words, rest = (answered[name] for name in TOP)
            top = TopWords(logs, words.long(), rest)
        inner = (groups["hidden_states"], groups["queries"], groups["keys"], groups["values"])
        weights = of_tokens["pooling_weights"].transpose(1, 2) if "pooling_weights" in of_tokens else None
        return Output(
            logits, *inner, weights, word_states=answered.get("words"), top=top, shares=of_tokens.get("shares")
        )


def _padded(flat: Tensor, starts: Tensor, lengths: Tensor, tokens: int) -> Tensor:
    """Stretches of a flat array, padded with zeros to ``tokens``."""
    spans = list(zip(starts.tolist(), lengths.tolist(), strict=True))
    longest = max(length for _, length in spans)
    if longest > tokens:
        raise ValueError(f"a batch is {tokens} tokens wide where the cached teacher saw {longest}")
    # reads only the rows' own tokens, and faster than one index_select over padded positions
    state = nn.utils.rnn.pad_sequence([flat[start : start + length] for start, length in spans], batch_first=True)
    return nn.functional.pad(state, (0, 0) * (state.ndim - 2) + (0, tokens - longest))


def answer_lengths(split: FixedTexts) -> npt.NDArray[Any]:
    """The places of each example that have states, and may be asked a word: its tokens, or where there is a decoder, its."""
    return split.answer_lengths if isinstance(split, FixedAnswers) else split.lengths


def offsets_of(lengths: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Where each example's tokens start in a flat array over all tokens, and where the last ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _open(file: Path, dtype: str) -> Tensor:
    # copy-on-write: torch warns of a read-only array, and nothing here writes
    array = torch.from_numpy(np.load(file, mmap_mode="c", allow_pickle=False))
    return array.view(torch.bfloat16) if dtype == "bfloat16" else array


def hash_file(file: Path) -> str:
    """The sha256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _checked_manifest(folder: Path, identity: Identity, verify: bool) -> dict[str, str]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _refusal(folder, f"its {MANIFEST} cannot be read") from error
    if not isinstance(manifest, dict):
        raise _refusal(folder, f"its {MANIFEST} is no list of properties")
    for name, expected in identity.items():
        if manifest.get(name) != expected:
            raise _refusal(folder, f"{name} is {manifest.get(name)!r} where {expected!r} was expected")
    dtypes, hashes = manifest.get("dtypes"), manifest.get("sha256")
    if (
        not isinstance(dtypes, dict)
        or not isinstance(hashes, dict)
        or not set(dtypes) == set(hashes) == set(identity["needs"])
    ):
        raise _refusal(folder, f"its {MANIFEST} lists other outputs than {', '.join(identity['needs'])}")
    for name, expected in hashes.items():
        file = folder / f"{name}.npy"
        if not file.is_file() or (verify and hash_file(file) != expected):
            raise _refusal(folder, f"{file.name} is missing or not as it was written")
    return dtypes


def _refusal(folder: Path, reason: str) -> ValueError:
    return ValueError(
        f"the teacher outputs in {folder} are wrong or damaged and will not be used:\n{reason}\n"
        "delete that folder; they are computed again"
    )
