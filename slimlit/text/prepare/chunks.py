"""``ReadChunk``: the first stage, one chunk at a time: parse, tidy, judge by the rules, sketch, and keep on disk."""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slimlit.text.prepare.documents import NO_COLUMN, Broken, Document, Files, Raw, parse, size_of
from slimlit.text.prepare.reading import Reading, tidy
from slimlit.text.prepare.rules import Rule
from slimlit.text.prepare.sketches import sketch
from slimlit.text.prepare.workplace import Workplace, write_bytes

NUM_SAMPLES = 5  # rejected documents shown of each rule
FEW = 2  # records without the text column that a file may begin with
_SHOWN = 200  # characters of each
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)


class Counts:
    """What came in and what each rule took: documents, bytes, and the first few, shortened."""

    def __init__(self, rules: Iterable[str] = ()) -> None:
        self.counts: dict[str, Any] = {"read": 0, "bytes read": 0, "kept": 0, "bytes kept": 0, "rejected": {}}
        for rule in ("Broken", "Empty", *rules):
            self._of(rule)

    def _of(self, rule: str) -> dict[str, Any]:
        found: dict[str, Any] = self.counts["rejected"].setdefault(rule, {"documents": 0, "bytes": 0, "samples": []})
        return found

    def reject(self, rule: str, size: int, where: str, why: str, text: str) -> None:
        """Count a rejected document."""
        found = self._of(rule)
        found["documents"] += 1
        found["bytes"] += size
        if len(found["samples"]) < NUM_SAMPLES:
            found["samples"].append({"where": where, "why": why, "text": text[:_SHOWN]})

    def add(self, other: dict[str, Any]) -> None:
        """Count a later chunk's too."""
        for name in ("read", "bytes read", "kept", "bytes kept"):
            self.counts[name] += other[name]
        for rule, more in other["rejected"].items():
            found = self._of(rule)
            found["documents"] += more["documents"]
            found["bytes"] += more["bytes"]
            found["samples"] = (found["samples"] + more["samples"])[:NUM_SAMPLES]


@dataclass(frozen=True)
class ReadChunk:
    """Reads one chunk of documents and keeps those that pass: their lines, their sketches and where they are split.

    Args:
        workplace: where the chunk is kept.
        files: the names of the files it is read from.
        text_column: the field that holds the text.
        rules: asked in order; the first that rejects a document is the one it is counted under.
        ngram: characters of an n-gram, bands and rows of the sketch; none where near-duplicates stay.
        seed: another seed, other splits.
    """

    workplace: Workplace
    files: Files
    text_column: str
    rules: Sequence[Rule]
    ngram: tuple[int, int, int]
    seed: int

    def __call__(self, task: tuple[int, list[Raw]]) -> int:
        """Read a chunk and return how many bytes it had."""
        number, raws = task
        counts = Counts()
        lines: list[bytes] = []
        normals: list[str] = []
        parsed = [(raw, parse(raw, self.text_column)) for raw in raws]
        if number == 0:
            self._check_column([found for _, found in parsed])
        for raw, found in parsed:
            if found is None:
                continue
            counts.counts["read"] += 1
            counts.counts["bytes read"] += size_of(raw)
            where = f"{self.files.name(found.file)}:{found.number}"
            if isinstance(found, Broken):
                counts.reject("Broken", size_of(raw), where, found.why, "")
                continue
            reading = Reading(tidy(found.text))
            rule, why = self._judge(reading)
            if rule is not None:
                counts.reject(rule, size_of(raw), where, why, reading.text)
                continue
            lines.append(line_of(reading.text, found))
            normals.append(reading.normal)
        counts.counts["kept"] = len(lines)
        counts.counts["bytes kept"] = sum(map(len, lines))
        self.keep(number, lines, normals, counts)
        return sum(map(size_of, raws))

    def _judge(self, reading: Reading) -> tuple[str | None, str]:
        if not reading.text:
            return "Empty", "no text"
        for rule in self.rules:
            why = rule.reject(reading)
            if why is not None:
                return rule.name, why
        return None, ""

    def keep(self, number: int, lines: list[bytes], normals: list[str], counts: Counts) -> None:
        """Write a chunk: the documents' lines, the sketches of their normal forms, and what was counted."""
        size, num_bands, num_rows = self.ngram
        found = sketch(normals, size, num_bands, num_rows)
        key = self.seed.to_bytes(8, "little", signed=True)
        places = b"".join(hashlib.blake2b(normal.encode(), digest_size=8, key=key).digest() for normal in normals)
        arrays = io.BytesIO()
        np.savez(
            arrays,
            ends=np.cumsum([len(line) for line in lines], dtype=np.int64),
            places=np.frombuffer(places, dtype="<u8") if places else np.zeros(0, dtype="<u8"),
            sample=found.sample,
            num_samples=found.num_samples,
        )
        write_bytes(self.workplace.chunk(number, "jsonl"), b"".join(lines))
        write_bytes(self.workplace.chunk(number, "bands"), found.bands.tobytes())
        write_bytes(self.workplace.chunk(number, "npz"), arrays.getvalue())
        summary = json.dumps(counts.counts, ensure_ascii=False).encode()
        write_bytes(self.workplace.chunk(number, "json"), summary)  # the last: the chunk is whole

    def _check_column(self, found: list[Document | Broken | None]) -> None:
        """Refuse a wrong name of the text column before a whole corpus, or a whole file of it, is counted as broken.

        A record or two without the column are no reason where other files have it.
        """
        well = {one.file for one in found if isinstance(one, Document)}
        lacking = [one for one in found if isinstance(one, Broken) and one.why.startswith(NO_COLUMN)]
        times = Counter(one.file for one in lacking)
        for one in lacking:
            if not well or (one.file not in well and times[one.file] > FEW):
                raise ValueError(f"{self.files.name(one.file)}: {one.why}\nname it: --text_column COLUMN")


def line_of(text: str, document: Document) -> bytes:
    """The line a document is kept as: its tidied text, then the other fields of its record."""
    if "text" in document.fields:
        raise ValueError(
            f"a record has a field 'text' beside the text column: line {document.number}\nrename one of them"
        )
    record = {"text": text, **document.fields}
    try:
        return (_ENCODER.encode(record) + "\n").encode()
    except UnicodeEncodeError:  # half a character in a field; JSON can hold it, UTF-8 cannot
        return (json.dumps(record, default=str) + "\n").encode()
