"""Load the tokenizer of a model: of a run, a bundled package, a folder, or the hub."""

import difflib
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from slimlit.text.downloads.bundles import BUNDLES, MODELS
from slimlit.text.downloads.bundles import find as find_bundle

Tokenizer: TypeAlias = PreTrainedTokenizerFast


def load_tokenizer(source: str) -> Tokenizer:
    """The fast tokenizer at ``source``; no network is asked where it is a run, a folder or a bundle.

    Raises:
        ValueError: there is none, or it has no fast version (which knows where each token stands in the text).
    """
    folder = Path(source)
    place = source
    if (folder / "student").is_dir():
        place = str(folder / "student")
    elif not folder.is_dir() and source in BUNDLES:
        place = str(find_bundle(source))
    elif folder.is_absolute() and not folder.is_dir():
        raise ValueError(f"no tokenizer at {source}: there is no such folder")
    try:
        tokenizer = AutoTokenizer.from_pretrained(place)
    except (OSError, ValueError) as problem:
        near = difflib.get_close_matches(source, MODELS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"no tokenizer at {source!r}: {str(problem).splitlines()[0][:200]}\n"
            f"{hint}expected a run, a folder, a hub name, or one of: {', '.join(MODELS)}"
        ) from problem
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ValueError(
            f"the tokenizer at {source!r} has no fast version\nsave one with save_pretrained (tokenizer.json)"
        )
    return tokenizer


def without_limits(tokenizer: Tokenizer) -> Any:
    """What is behind the tokenizer, without the cutting and padding that its file or the last call asked for."""
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer.backend_tokenizer


def identity_of(tokenizer: Tokenizer) -> list[Any]:
    """All of a tokenizer that decides what its tokens are, as JSON can hold it."""
    special = sorted((name, str(token)) for name, token in tokenizer.special_tokens_map.items())
    sides = [tokenizer.truncation_side, tokenizer.split_special_tokens, version("tokenizers")]
    return [without_limits(tokenizer).to_str(), special, sides, tokenizer.pad_token_id]


def special_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """The tokens that are no words of a text: not the one for unknown words, which stands for a word."""
    return frozenset(int(token) for token in tokenizer.all_special_ids) - {tokenizer.unk_token_id}
