"""What is kept of an archive: the files of a model, or labelled texts as one CSV; with counts of what was changed."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Extract:
    """The files to keep, by name, and what to say about them."""

    files: dict[str, bytes]
    counts: dict[str, int] = field(default_factory=dict)


def by_name(files: Files) -> Extract:
    """Keep the files as they are, without their folders."""
    return Extract({name.rsplit("/", 1)[-1]: content for name, content in files.items()})


def film_reviews(source: str) -> Callable[[Files], Extract]:
    """Keep one source of the combined film reviews; the line breaks of web pages in them become spaces."""

    def keep(files: Files) -> Extract:
        content = next(content for name, content in files.items() if name.endswith(".csv")).decode("utf-8")
        rows = [row for row in csv.DictReader(io.StringIO(content, newline="")) if row["source"] == source]
        names = {"0": "negative", "1": "positive"}
        plain = [(row["text"].replace("<br />", " "), names[row["label"]]) for row in rows]
        num_breaks = sum("<br />" in row["text"] for row in rows)
        return Extract(
            {"reviews.csv": _to_csv(plain)}, {"rows": len(rows), "rows with line breaks replaced": num_breaks}
        )

    return keep


def chinese_reviews(files: Files) -> Extract:
    """Keep each line once; leave out lines that are called both negative and positive."""
    labelled: dict[str, set[str]] = {}
    num_lines = 0
    for name, content in files.items():
        label = "negative" if "neg_" in name else "positive"
        for line in content.decode("utf-8").split("\n"):
            if text := line.strip().strip("\ufeff"):
                num_lines += 1
                labelled.setdefault(text, set()).add(label)
    rows = [(text, *labels) for text, labels in labelled.items() if len(labels) == 1]
    counts = {
        "lines": num_lines,
        "rows": len(rows),
        "repeated lines left out": num_lines - sum(map(len, labelled.values())),
        "texts with both labels left out": len(labelled) - len(rows),
    }
    return Extract({"reviews.csv": _to_csv(rows)}, counts)


def _to_csv(rows: Iterable[tuple[str, ...]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("text", "label"))
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")
