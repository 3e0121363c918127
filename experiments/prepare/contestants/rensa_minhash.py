"""rensa: R-MinHash of 128 over 13-character n-grams, its LSH index of 16 bands, duplicates by its estimate of 0.8."""

import json
import re
import string
import sys
from pathlib import Path

from rensa import RMinHash, RMinHashDeduplicator

PUNCTUATION = str.maketrans("", "", string.punctuation)


def main() -> None:
    """Read, drop near-duplicates, write the rest."""
    source, output = Path(sys.argv[1]), Path(sys.argv[2])
    seen = RMinHashDeduplicator(threshold=0.8, num_perm=128, use_lsh=True, num_bands=16)
    (output / "kept").mkdir(parents=True)
    with source.open() as file, (output / "kept" / "kept.jsonl").open("w") as kept:
        for number, line in enumerate(file):
            text = re.sub(r"\s+", " ", json.loads(line)["text"].lower().translate(PUNCTUATION).strip())
            sketch = RMinHash(num_perm=128, seed=42)
            sketch.update([text[place : place + 13] for place in range(len(text) - 12)])
            if seen.add(str(number), sketch):
                kept.write(line)


if __name__ == "__main__":
    main()
