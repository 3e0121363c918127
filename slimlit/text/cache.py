"""Where slimlit keeps what it can make or fetch again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$SLIMLIT_CACHE``, else ``slimlit`` in ``$XDG_CACHE_HOME`` or ``~/.cache``; it may not exist yet."""
    if own := os.environ.get("SLIMLIT_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "slimlit"
