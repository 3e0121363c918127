"""datasketch, as SlimPajama's scripts use it: MinHash of 128 permutations over 13-character n-grams, an LSH index, components."""

import json
import re
import string
import sys
from pathlib import Path

from datasketch import MinHash, MinHashLSH

PUNCTUATION = str.maketrans("", "", string.punctuation)


def main() -> None:
    """Read, drop near-duplicates, write the rest."""
    source, output = Path(sys.argv[1]), Path(sys.argv[2])
    index = MinHashLSH(threshold=0.8, num_perm=128)
    dropped = set()
    with source.open() as file:
        for number, line in enumerate(file):
            text = re.sub(r"\s+", " ", json.loads(line)["text"].lower().translate(PUNCTUATION).strip())
            sketch = MinHash(num_perm=128)
            sketch.update_batch([text[place : place + 13].encode() for place in range(len(text) - 12)])
            if index.query(sketch):
                dropped.add(number)
            else:
                index.insert(number, sketch)
    (output / "kept").mkdir(parents=True)
    with source.open() as file, (output / "kept" / "kept.jsonl").open("w") as kept:
        kept.writelines(line for number, line in enumerate(file) if number not in dropped)


if __name__ == "__main__":
    main()
