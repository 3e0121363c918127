"""A tokenizer with fewer pieces: it cuts the texts they were chosen by as before, and can still read all others."""

import json
import tempfile
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from slimlit.models.tokenizers import Tokenizer, load_tokenizer, without_limits

_CONTINUED = "##"


def keep_words(tokenizer: Tokenizer, used: Iterable[int], first: int = 0) -> list[int]:
    """The numbers of the pieces to keep, in order: those used, special ones, and single characters and bytes.

    Args:
        tokenizer: whole.
        used: numbers of the pieces that come in the texts.
        first: so many pieces keep their numbers.

    Guarantees:
        - a text that is made of used pieces is cut into the same pieces by :func:`fewer_words`'s tokenizer;
        - a text every character of which is a piece of its own has no unknown piece.

    Raises:
        ValueError: a kind of tokenizer that is not known.
    """
    whole = json.loads(without_limits(tokenizer).to_str())
    model = whole["model"]
    numbers = _numbers(model)
    added = {int(one["id"]) for one in whole["added_tokens"]}
    special = {number for number in tokenizer.all_special_ids if number is not None}
    kept = {int(number) for number in used} | added | special
    kept |= {number for piece, number in numbers.items() if _is_single(piece, model)}
    if model["type"] == "BPE":
        kept |= _halves(model, numbers, kept)
    elif model["type"] == "Unigram":  # what an unknown character costs is counted from the least likely piece
        kept.add(min(range(len(model["vocab"])), key=lambda number: float(model["vocab"][number][1])))
    kept |= set(range(first))
    known = set(numbers.values()) | added
    return sorted(kept & known)


def fewer_words(tokenizer: Tokenizer, kept: list[int]) -> Tokenizer:
    """The same tokenizer with those pieces alone; a piece's number is its place in the list.

    Raises:
        ValueError: a special token is not among them.
    """
    with tempfile.TemporaryDirectory() as folder:
        without_limits(tokenizer)
        tokenizer.save_pretrained(folder)
        place = Path(folder)
        new = {old: number for number, old in enumerate(kept)}
        whole = json.loads((place / "tokenizer.json").read_text(encoding="utf-8"))
        _shrink_model(whole["model"], new)
        whole["added_tokens"] = [{**one, "id": _new(one["id"], new, one["content"])} for one in whole["added_tokens"]]
        whole["added_tokens"].sort(key=lambda one: int(one["id"]))
        whole["post_processor"] = _renumbered(whole["post_processor"], new)
        (place / "tokenizer.json").write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
        config = json.loads((place / "tokenizer_config.json").read_text(encoding="utf-8"))
        if "added_tokens_decoder" in config:
            old = config["added_tokens_decoder"]
            config["added_tokens_decoder"] = {str(_new(int(number), new, number)): one for number, one in old.items()}
            (place / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
        for extra in ("vocab.txt", "vocab.json", "merges.txt"):  # what tokenizer.json says already
            (place / extra).unlink(missing_ok=True)
        return load_tokenizer(folder)


def _numbers(model: dict[str, Any]) -> dict[str, int]:
    if model["type"] == "Unigram":
        return {piece: number for number, (piece, _) in enumerate(model["vocab"])}
    if model["type"] not in ("WordPiece", "BPE", "WordLevel"):
        raise ValueError(
            f"a tokenizer of kind {model['type']} cannot be cut\nexpected WordPiece, BPE, Unigram or WordLevel"
        )
    return {str(piece): int(number) for piece, number in model["vocab"].items()}


def _is_single(piece: str, model: dict[str, Any]) -> bool:
    """Whether it is one character or byte, wherever in a word it stands; a word table has no pieces to fall back on."""
    if model["type"] == "WordLevel":
        return False
    prefix = str(model.get("continuing_subword_prefix") or "")
    is_byte = len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">")
    return len(piece.removeprefix(prefix)) <= 1 or is_byte


def _pairs(model: dict[str, Any]) -> list[tuple[str, str]]:
    halves = [one.split(" ") if isinstance(one, str) else one for one in model["merges"]]
    return [(left, right) for left, right in halves]


def _halves(model: dict[str, Any], numbers: dict[str, int], kept: set[int]) -> set[int]:
    """All pieces that the kept ones are merged from, in the order in which they are merged."""
    pairs = _pairs(model)
    ranks = {pair: rank for rank, pair in enumerate(pairs)}
    prefix = str(model.get("continuing_subword_prefix") or "")
    pieces = {number: piece for piece, number in numbers.items()}
    found: set[int] = set()
    for number in kept:
        parts = list(pieces.get(number, ""))
        while len(parts) > 1:
            rank, place = min((ranks.get(pair, len(ranks)), at) for at, pair in enumerate(pairwise(parts)))
            if rank == len(ranks):
                break
            parts[place : place + 2] = [parts[place] + parts[place + 1].removeprefix(prefix)]
            found.add(numbers[parts[place]])
    return found


def _shrink_model(model: dict[str, Any], new: dict[int, int]) -> None:
    if model["type"] == "Unigram":
        if model["unk_id"] is not None:
            model["unk_id"] = _new(model["unk_id"], new, "of the unknown")
        model["vocab"] = [model["vocab"][old] for old in new if old < len(model["vocab"])]
        return
    model["vocab"] = {piece: new[number] for piece, number in model["vocab"].items() if number in new}
    if model["type"] == "BPE":
        prefix, vocabulary = str(model.get("continuing_subword_prefix") or ""), model["vocab"]
        model["merges"] = [
            [left, right]
            for left, right in _pairs(model)
            if left in vocabulary and right in vocabulary and left + right.removeprefix(prefix) in vocabulary
        ]


def _renumbered(processor: Any, new: dict[int, int]) -> Any:
    """What puts special tokens around a text, with their new numbers."""
    if isinstance(processor, list):
        return [_renumbered(one, new) for one in processor]
    if not isinstance(processor, dict):
        return processor
    changed = {name: _renumbered(value, new) for name, value in processor.items()}
    if processor.get("type") in ("BertProcessing", "RobertaProcessing"):
        for name in ("sep", "cls"):
            token, number = processor[name]
            changed[name] = [token, _new(number, new, token)]
    if "special_tokens" in processor:
        changed["special_tokens"] = {
            name: {**one, "ids": [_new(number, new, name) for number in one["ids"]]}
            for name, one in processor["special_tokens"].items()
        }
    return changed


def _new(number: int, new: dict[int, int], name: Any) -> int:
    if number not in new:
        raise ValueError(
            f"the special token {name} ({number}) is not among the {len(new):,} pieces kept\nkeep special tokens"
        )
    return new[number]
