"""The last two stages: a tokenizer made of the training part, and every part as token shards."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm  # type: ignore[import-untyped]

from slimlit import runs
from slimlit.text.downloads.bundles import BUNDLES, find
from slimlit.text.lines import read_json_lines
from slimlit.text.prepare.token_settings import TokenShards, TrainedTokenizer
from slimlit.text.prepare.workplace import Workplace
from slimlit.text.tokens.encoder import SAMPLE, Encoder, load_fast
from slimlit.text.tokens.shard_writing import write_shards
from slimlit.text.tokens.shards import Shards
from slimlit.text.tokens.tokenizer_training import train_tokenizer

TOKENIZER, SHARDS = "tokenizer", "shards"


def train_on_parts(workplace: Workplace, wanted: TrainedTokenizer, sources: Sequence[str]) -> dict[str, Any]:
    """Train a tokenizer on the training part and write it into the result.

    It is trained beside the result and put there whole; one that a killed run left is made again, to the same bytes.
    Its ledger counts the sources, and their own makers.
    """
    made, place = workplace.folder / TOKENIZER, workplace.result / TOKENIZER
    for folder in (made, place):
        shutil.rmtree(folder, ignore_errors=True)
    settings = asdict(wanted)
    progress = tqdm(texts_of(workplace.result / "train"), desc="training a tokenizer", unit=" texts", disable=None)
    found = train_tokenizer(iter(progress), folder=made, source=str(workplace.output), made_of=sources, **settings)
    os.replace(made, place)
    return {"settings": settings, **found}


def shard_parts(workplace: Workplace, wanted: TokenShards, parts: dict[str, Any]) -> dict[str, Any]:
    """Encode each part into shards, one folder a part; goes on after the last full shard.

    Each document is between what the tokenizer puts before a text and its end-of-text token (where it has none, what it
    puts after a text), as ``slimlit.data.LanguageModelling`` has them. The encoder's way is chosen by the first texts of the
    training part, so that a run that goes on reports the same.
    """
    trained = str(workplace.result / TOKENIZER)
    tokenizer, begin, end = load_with_borders(wanted.tokenizer or trained)
    encoder = Encoder(tokenizer)
    settings = asdict(wanted)
    _begin_anew_if_other(workplace, {**settings, "fingerprint": encoder.fingerprint, "begin": begin, "end": end})
    encoder.encode(_first(texts_of(workplace.result / "train")))
    report: dict[str, Any] = {
        "settings": settings, "tokenizer": wanted.tokenizer or TOKENIZER, "vocab_size": encoder.vocab_size,
        "begin": begin, "end": end, "way": encoder.way, "refused": encoder.report()["refused"], "parts": {},
    }  # fmt: skip
    for name, part in parts.items():
        folder = workplace.result / SHARDS / name
        if not folder.exists():
            progress = tqdm(
                texts_of(workplace.result / name), f"tokens of {name}", part["documents"], unit=" texts", disable=None
            )
            write_shards(folder, iter(progress), encoder, begin=begin, end=end, shard_tokens=wanted.shard_tokens)
        counts = Shards(folder, encoder.fingerprint).manifest
        sizes = {key: counts[key] for key in ("documents", "tokens", "bytes")}
        report["parts"][name] = {
            **sizes,
            "shards": len(counts["shards"]),
            "tokens per byte": round(counts["tokens"] / max(1, counts["bytes"]), 4),
        }
    return report


def texts_of(part: Path) -> Iterator[str]:
    """The texts of a part that was written, in order."""
    for file in sorted(part.iterdir()):
        broken: list[str] = []
        for record in read_json_lines(file, broken):
            yield str(record["text"])
        assert not broken, f"{file}: {broken[0]}"


def load_with_borders(source: str) -> tuple[Any, int | None, int | None]:
    """A tokenizer, and the tokens put before and after each document, or None.

    Raises:
        ValueError: there is none, or it puts several on one side of a text.
    """
    tokenizer = load_fast(str(find(source)) if source in BUNDLES and not Path(source).is_dir() else source)
    one = tokenizer.backend_tokenizer.encode("a", add_special_tokens=True)
    own = [place for place, special in enumerate(one.special_tokens_mask) if not special]
    before, after = one.ids[: own[0]], one.ids[own[-1] + 1 :]
    end = after if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    if len(before) > 1 or len(end) > 1:
        raise ValueError(f"{source} puts {before} before and {end} after a text; expected one token at most on a side")
    return tokenizer.backend_tokenizer, before[0] if before else None, end[0] if end else None


def _begin_anew_if_other(workplace: Workplace, settings: dict[str, Any]) -> None:
    """Remove shards that were begun with another tokenizer or size."""
    kept = workplace.folder / "shards.json"
    if kept.is_file() and json.loads(kept.read_text(encoding="utf-8")) != settings:
        shutil.rmtree(workplace.result / SHARDS, ignore_errors=True)
    runs.write(kept, json.dumps(settings))


def _first(texts: Iterator[str]) -> list[str]:
    found, size = [], 0
    for text in texts:
        found.append(text)
        size += len(text)
        if size > SAMPLE:
            break
    return found
