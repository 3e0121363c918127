"""``Sentences``: words with a tag each, read from JSON lines, CoNLL files, or data sets; plain texts are split into words."""

import difflib
import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from slimlit.data.files import Texts
from slimlit.data.records import Numbered, Opened, number
from slimlit.text.bio import to_bio
from slimlit.text.clean import clean
from slimlit.text.compression import plain_name, readable
from slimlit.text.lines import Record, open_text

CONLL = (".conll", ".bio", ".iob", ".iob2")
Span = tuple[int, int]
# a Chinese, Japanese or Korean character alone; a word with its inner apostrophes, points and hyphens; any other sign alone
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]|[^\W\u3040-\u9fff\uac00-\ud7af\uf900-\ufaff]+(?:['’.-][^\W\u3040-\u9fff\uac00-\ud7af\uf900-\ufaff]+)*|[^\w\s]"
)
_TAG = re.compile(r"O|[A-Z]-.+")


@dataclass(frozen=True)
class TagColumns:
    """The names of the columns; in a CoNLL file their numbers from 0, the first and the last unless given."""

    tokens: str = "tokens"
    tags: str | None = "ner"
    text: str = "text"


@dataclass
class Sentences:
    """Words of each sentence, their tags, the row each was read from, and what was left out on the way.

    ``texts`` and ``spans`` are there where texts were given instead of words: the text, and where in it each word stands.
    """

    words: list[list[str]] = field(default_factory=list)
    tags: list[list[str]] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)
    spans: list[list[Span]] = field(default_factory=list)
    num_empty: int = 0
    broken: list[str] = field(default_factory=list)
    rows: "array[int]" = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.words)

    def take(self, rows: Iterable[int]) -> "Sentences":
        """Those rows, in that order."""
        chosen = list(rows)
        tags = [self.tags[row] for row in chosen] if self.tags else []
        words, texts = [self.words[row] for row in chosen], [self.texts[row] for row in chosen]
        return Sentences(words, tags, texts, [self.spans[row] for row in chosen])

    def repair(self, source: str) -> dict[str, Any]:
        """Make the tags sound BIO, and say what was wrong with them.

        Raises:
            ValueError: a tag is none of any scheme.
        """
        if not self.tags:
            return {}
        try:
            self.tags, report = to_bio(self.tags, numbers=self.rows)
        except ValueError as problem:
            raise ValueError(f"{source}: {problem}") from problem
        repairs = {kind: {"tags": count, "first": report.places[kind]} for kind, count in report.counts.items()}
        return {"scheme": report.scheme, "faulty tags": report.num_faults, "repairs (row, word)": repairs}

    def as_texts(self) -> Texts:
        """Each as one text, labelled by the kind of its first entity, to make and compare splits."""
        kinds = [next((tag.partition("-")[2] for tag in tags if tag != "O"), "O") for tags in self.tags]
        return Texts([" ".join(words) for words in self.words], None, kinds)


def read_sentences(source: str, columns: TagColumns, split: str = "train") -> Sentences:
    """The tagged sentences of a file, folder or hub name; with ``columns.tags`` None those to tag, also as plain text.

    Sentences without words are counted in ``num_empty``; those with other than one tag a word are described in ``broken``.

    Raises:
        ValueError: no such file, no such column, or nothing readable in it.
    """
    opened = open_sentences(source, columns, split)
    found = gather_sentences(opened.rows, columns)
    found.broken = opened.broken + found.broken
    if not len(found):
        what = f"{found.num_empty} empty and {len(found.broken)} broken" + (
            f" ({found.broken[0]})" if found.broken else ""
        )
        expected = f"expected lists of words in column {columns.tokens!r} and of as many tags in {columns.tags!r}"
        if columns.tags is None:
            expected = f"expected lists of words in column {columns.tokens!r}, or texts in {columns.text!r}"
        raise ValueError(f"no sentence in {source}: {what}\n{expected}")
    return found


def open_sentences(source: str, columns: TagColumns, split: str) -> Opened:
    """The rows of a source, which has those columns.

    Raises:
        ValueError: no such source, or no such column.
    """
    path = Path(source).expanduser()
    plain = plain_name(path.name)
    if plain.endswith(".txt") and columns.tags is None:
        opened = Opened(lambda broken: number(_lines(path, columns.text), broken))
    elif plain.endswith((*CONLL, ".txt")) and path.is_file():
        opened = Opened(lambda broken: number(_conll(path, columns, broken), broken))
    else:
        opened = Opened.of(source, split)
    seen = opened.columns()
    if seen:
        _check_columns(source, columns, seen)
    return opened


def gather_sentences(rows: Iterable[Numbered], columns: TagColumns) -> Sentences:
    """The sentences of rows; those without words are counted, and those with other than one tag a word described."""
    found = Sentences()
    for row, record in rows:
        _add(found, record, columns, row)
    return found


def split_words(text: str) -> list[Span]:
    """Where the words of a text stand: signs alone, and each Chinese, Japanese or Korean character alone."""
    return [match.span() for match in _WORD.finditer(text)]


def _add(found: Sentences, record: Record, columns: TagColumns, row: int) -> None:
    words, text, spans = record.get(columns.tokens), None, []
    if words is None and columns.tags is None:
        text = clean(str(record.get(columns.text) or ""))
        spans = split_words(text)
        words = [text[start:end] for start, end in spans]
    tags = [] if columns.tags is None else record.get(columns.tags)
    if not words:
        found.num_empty += 1
        return
    if not isinstance(words, list) or not isinstance(tags, list):
        found.broken.append(
            f"sentence {row + 1}: {str(words)[:40]!r} is no list of words, or its tags are none of tags"
        )
        return
    if columns.tags is not None:
        if len(words) != len(tags):
            found.broken.append(f"sentence {row + 1}: {len(words)} words and {len(tags)} tags")
            return
        found.tags.append([str(tag) for tag in tags])
    found.rows.append(row)
    found.words.append([str(word) for word in words])
    found.texts.append(text)
    found.spans.append(spans)


def _check_columns(source: str, columns: TagColumns, seen: list[str]) -> None:
    wanted = {"token_column": columns.tokens, "tag_column": columns.tags}
    for role, name in wanted.items():
        if name is None or name in seen or (columns.tags is None and columns.text in seen):
            continue
        near = difflib.get_close_matches(name, seen, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"no column {name!r} in {source}\nit has: {', '.join(map(str, seen))}\n{hint}name it: data.init_args.{role}: COLUMN"
        )


def _lines(path: Path, column: str) -> Iterator[Record]:
    if not path.is_file():
        raise ValueError(f"no such file: {path}")
    with open_text(path) as file, readable(path):
        for line in file:
            yield {column: line}


def _conll(path: Path, columns: TagColumns, broken: list[str]) -> Iterator[Record]:
    """Sentences between blank lines; ``-DOCSTART-`` lines, and comments with ``#`` and no tag, are no sentence's."""
    place = int(columns.tokens) if columns.tokens.isdecimal() else 0
    last = int(columns.tags) if columns.tags is not None and columns.tags.isdecimal() else -1
    words: list[str] = []
    tags: list[str] = []
    is_whole = True
    with open_text(path) as file, readable(path):
        for line_number, line in enumerate(chain(file, [""]), start=1):
            cells = line.rstrip("\r\n").split("\t") if "\t" in line else line.split()
            if not line.strip():
                if words and is_whole:
                    yield _record(columns, words, tags)
                words, tags, is_whole = [], [], True
            elif cells[0] == "-DOCSTART-" or (cells[0].startswith("#") and not words and not _TAG.fullmatch(cells[-1])):
                continue
            elif len(cells) <= max(place, last, 0 if columns.tags is None else 1):
                if is_whole:  # a sentence is broken once
                    broken.append(f"line {line_number}: {len(cells)} columns; its sentence is left out")
                is_whole = False
            else:
                words.append(cells[place])
                tags.append(cells[last].strip())


def _record(columns: TagColumns, words: list[str], tags: list[str]) -> dict[str, Any]:
    return {columns.tokens: words} if columns.tags is None else {columns.tokens: words, columns.tags: tags}
