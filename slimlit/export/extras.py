"""``need``: says which package a target lacks, and the line that installs it, before anything is read or written."""

import sys
from importlib.util import find_spec


def need(extra: str, *packages: str) -> None:
    """Look for packages without importing them.

    Raises:
        ValueError: one is missing.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"this target needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed\n"
            f'type: {sys.executable} -m pip install "slimlit[{extra}]"'
        )
