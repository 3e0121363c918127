"""``TokenizedTexts``: a split as token arrays, cached by content, that gives any rows as a padded batch."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset
from tqdm import tqdm  # type: ignore[import-untyped]

from slimlit.data.files import Texts
from slimlit.data.kept_arrays import Array, load_arrays, save_arrays
from slimlit.models.tokenizers import Tokenizer, without_limits
from slimlit.text.cache import cache_folder
from slimlit.text.stop_words import StopWords
from slimlit.types import Batch

FORMAT = 2
_CHUNK = 2000


@dataclass(frozen=True)
class Tokens:
    """All tokens of a split end to end; example ``i`` has those from ``offsets[i]`` to ``offsets[i + 1]``."""

    input_ids: Array
    offsets: Array
    token_type_ids: Array | None
    pooling_mask: Array | None
    num_truncated: int
    stop_words: dict[str, Any] | None = None


class TokenizedTexts(Dataset[Batch]):
    """A split of texts, tokenised.

    Tokens are cached under the hash of everything they depend on (texts, tokenizer, settings), so another text or setting
    never finds them, and read back memory-mapped.

    Args:
        texts: cleaned texts, already without dropped stop words.
        label_ids: the class of each, -1 where unknown.
        tokenizer: a fast tokenizer.
        max_length: tokens of an example at most, special ones included; the rest is cut off and counted.
        stop_words: with mode ``mask``, the words to hide from the attention pooling.
        is_kept: whether tokens are cached: not those of texts that are read once.
    """

    def __init__(
        self,
        texts: Texts,
        label_ids: npt.NDArray[np.int64],
        tokenizer: Tokenizer,
        max_length: int,
        stop_words: StopWords | None = None,
        is_kept: bool = True,
    ) -> None:
        self.texts = texts.texts
        self.pairs = texts.pairs
        self.label_ids = label_ids
        self.pad_token_id = int(tokenizer.pad_token_id or 0)
        hiding = stop_words if stop_words is not None and stop_words.mode == "mask" else None
        self.fingerprint = fingerprint(texts, tokenizer, max_length, hiding)
        folder = cache_folder() / "tokens" / self.fingerprint
        tokens = load(folder) if is_kept else None
        if tokens is None:
            tokens = tokenise(texts, tokenizer, max_length, hiding)
            if is_kept:
                save(tokens, folder)
        self.tokens = tokens
        self.lengths: npt.NDArray[np.int64] = np.diff(tokens.offsets)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, row: int) -> Batch:
        return self.batch([row])

    def __getitems__(self, rows: list[int]) -> Batch:
        """The whole batch at once: the data loader asks for nothing else."""
        return self.batch(rows)

    def count(self, token: int) -> int:
        """How often a token comes in the examples."""
        return int((self.tokens.input_ids == token).sum())

    def words(self) -> list[int]:
        """The numbers of all tokens that come in the texts."""
        found: list[int] = np.unique(self.tokens.input_ids).tolist()
        return found

    def batch(self, rows: Sequence[int]) -> Batch:
        """Those rows, padded on the right to the longest of them; row -1 is an empty example of one padding token."""
        chosen = np.asarray(rows, dtype=np.int64)
        if (chosen < 0).any():
            return self._filler(len(chosen))
        lengths = self.lengths[chosen]
        columns = np.arange(int(lengths.max()) if len(chosen) else 0)
        real = columns[None, :] < lengths[:, None]
        places = np.where(real, self.tokens.offsets[chosen][:, None] + columns[None, :], 0)
        batch = Batch(
            input_ids=_padded(self.tokens.input_ids, places, real, self.pad_token_id),
            attention_mask=torch.from_numpy(real.astype(np.int64)),
            labels=torch.from_numpy(self.label_ids[chosen]),
            example_id=torch.from_numpy(chosen),
        )
        if self.tokens.token_type_ids is not None:
            batch["token_type_ids"] = _padded(self.tokens.token_type_ids, places, real, 0)
        if self.tokens.pooling_mask is not None:
            batch["pooling_mask"] = _padded(self.tokens.pooling_mask, places, real, 0)
        return batch

    def _filler(self, size: int) -> Batch:
        """A batch without an example, where sampling has drawn none."""
        ones = torch.ones(size, 1, dtype=torch.int64)
        batch = Batch(
            input_ids=ones * self.pad_token_id,
            attention_mask=ones,
            labels=torch.zeros(size, dtype=torch.int64),
            example_id=torch.full((size,), -1),
        )
        if self.tokens.token_type_ids is not None:
            batch["token_type_ids"] = 0 * ones
        if self.tokens.pooling_mask is not None:
            batch["pooling_mask"] = ones
        return batch


def _padded(values: Array, places: Array, real: Array, pad: int) -> torch.Tensor:
    return torch.from_numpy(np.where(real, values[places], pad).astype(np.int64))


def fingerprint(texts: Texts, tokenizer: Tokenizer, max_length: int, hiding: StopWords | None) -> str:
    """The hash of all that the tokens depend on."""
    digest = hashlib.sha256()
    special = sorted((name, str(token)) for name, token in tokenizer.special_tokens_map.items())
    sides = [tokenizer.truncation_side, tokenizer.split_special_tokens, version("tokenizers")]
    settings = [FORMAT, max_length, hiding.fingerprint if hiding else None, tokenizer.pad_token_id, special, len(texts)]
    digest.update(json.dumps([*settings, *sides]).encode())
    digest.update(without_limits(tokenizer).to_str().encode())
    for column in (texts.texts, texts.pairs):
        for text in column or []:
            encoded = text.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "little") + encoded)
        digest.update(b"\xff")
    return digest.hexdigest()


def tokenise(texts: Texts, tokenizer: Tokenizer, max_length: int, hiding: StopWords | None) -> Tokens:
    """The tokens of every example."""
    ids, types, visible, lengths, num_truncated = [], [], [], [], 0
    for start in _progress(len(texts)):
        chunk = texts.texts[start : start + _CHUNK]
        pairs = None if texts.pairs is None else texts.pairs[start : start + _CHUNK]
        encoded = tokenizer(chunk, pairs, truncation=True, max_length=max_length).encodings
        for number, one in enumerate(encoded or []):
            ids.append(np.asarray(one.ids, dtype=np.int32))
            lengths.append(len(one.ids))
            num_truncated += bool(one.overflowing)
            if pairs is not None:
                types.append(np.asarray(one.type_ids, dtype=np.int8))
            if hiding is not None:
                columns = [chunk[number], *([] if pairs is None else [pairs[number]])]
                visible.append(_visible(one, [hiding.spans(text) for text in columns]))
    return Tokens(
        input_ids=np.concatenate(ids) if ids else np.zeros(0, np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        token_type_ids=np.concatenate(types) if types else None,
        pooling_mask=np.concatenate(visible) if visible else None,
        num_truncated=num_truncated,
        stop_words=hiding.report() if hiding is not None else None,
    )


def _progress(num_texts: int) -> Iterator[int]:
    starts = range(0, num_texts, _CHUNK)
    with tqdm(total=num_texts, desc="tokenising", leave=False, disable=None if len(starts) > 10 else True) as bar:
        for start in starts:
            yield start
            bar.update(min(_CHUNK, num_texts - start))


def _visible(encoding: Any, spans: list[list[tuple[int, int]]]) -> Array:
    """1 on special tokens and on tokens outside every stop word; all 1 where nothing but stop words would be left."""
    visible = np.ones(len(encoding.ids), dtype=np.int8)
    words = np.zeros(len(encoding.ids), dtype=bool)
    for number, stops in enumerate(spans):
        characters = np.zeros(1 + max([end for _, end in stops], default=0), dtype=bool)
        for start, end in stops:
            characters[start:end] = True
        for place, ((start, end), sequence) in enumerate(zip(encoding.offsets, encoding.sequence_ids, strict=True)):
            if sequence == number and end > start:
                words[place] = True
                visible[place] = not (end <= len(characters) and characters[start:end].all())
    return visible if visible[words].any() or not words.any() else np.ones_like(visible)


def load(folder: Path) -> Tokens | None:
    """What :func:`save` wrote, memory-mapped; None where it is not there, or not whole."""
    found = load_arrays(folder)
    if found is None:
        return None
    arrays, facts = found
    columns = (arrays["input_ids"], arrays["offsets"], arrays.get("token_type_ids"), arrays.get("pooling_mask"))
    return Tokens(*columns, facts["num_truncated"], facts["stop_words"])


def save(tokens: Tokens, folder: Path) -> None:
    """Write the tokens into ``folder``, whole or not at all; another process may do the same."""
    arrays = {"input_ids": tokens.input_ids, "offsets": tokens.offsets}
    arrays |= {"token_type_ids": tokens.token_type_ids} if tokens.token_type_ids is not None else {}
    arrays |= {"pooling_mask": tokens.pooling_mask} if tokens.pooling_mask is not None else {}
    save_arrays(folder, arrays, {"num_truncated": tokens.num_truncated, "stop_words": tokens.stop_words})
