"""``python -m experiments.prepare.many_machines.compare ONE MANY``: whether two prepared folders hold the same documents, in order."""

import json
import sys
from pathlib import Path
from typing import Any


def documents(folder: Path) -> list[dict[str, Any]]:
    """The records of a part, in the order of its files."""
    files = sorted(folder.glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


def main(one: Path, many: Path) -> int:
    """Print a line a part; 1 where one differs."""
    is_same = True
    for part in sorted({path.parent.name for folder in (one, many) for path in folder.glob("*/part-*.jsonl")}):
        first, second = documents(one / part), documents(many / part)
        is_same &= first == second
        print(
            f"{part}: {len(first):,} and {len(second):,} documents, {'the same' if first == second else 'NOT the same'}"
        )
    return 0 if is_same else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
