"""datatrove steps that call our own: tidy, the rules, sketches, and the one task that joins what all others found."""

import json
from typing import Any

import numpy as np
from datatrove.data import Document, DocumentsPipeline
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.filters.base_filter import BaseFilter

from slimlit.text.prepare import Preparation
from slimlit.text.prepare.chunks import Counts, ReadChunk, line_of
from slimlit.text.prepare.clusters import find_duplicates, kept_documents
from slimlit.text.prepare.corpus import Corpus
from slimlit.text.prepare.documents import Document as Ours
from slimlit.text.prepare.documents import Files
from slimlit.text.prepare.near_duplicates import NearDuplicates
from slimlit.text.prepare.parts import deal, decontaminate
from slimlit.text.prepare.reading import Reading, tidy
from slimlit.text.prepare.rules import Rule
from slimlit.text.prepare.workplace import Workplace


class Tidy(PipelineStep):
    """Each text tidied."""

    name, type = "slimlit tidy", "FORMAT"

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """The same documents, tidied."""
        for document in data:
            document.text = tidy(document.text)
            yield document


class Judge(BaseFilter):
    """The rules in their order; datatrove counts each document it drops under the first that rejects it."""

    name = "slimlit rules"

    def __init__(self, rules: list[Rule]) -> None:
        super().__init__()
        self.rules = rules

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Whether the document stays, and the name of the rule it falls to."""
        reading = Reading(doc.text)
        if not reading.text:
            return False, "Empty"
        return next(((False, rule.name) for rule in self.rules if rule.reject(reading) is not None), True)


class Sketch(PipelineStep):
    """A task's documents and their sketches as one chunk on the shared disk; a task is one file."""

    name, type = "slimlit sketches", "SKETCH"

    def __init__(self, workplace: Workplace, settings: Preparation) -> None:
        super().__init__()
        like = settings.near_duplicates or NearDuplicates()
        ngram = (like.num_characters, like.num_bands, like.num_rows)
        self.chunks = ReadChunk(workplace, Files(), "text", settings.rules, ngram, settings.seed)

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Keep them; nothing goes on from here."""
        lines, normals, counts = [], [], Counts()
        for number, document in enumerate(data):
            lines.append(line_of(document.text, Ours(rank, number, document.text, document.metadata)))
            normals.append(Reading(document.text).normal)
            self.update_doc_stats(document)
        counts.counts["kept"] = len(lines)
        self.chunks.keep(rank, lines, normals, counts)
        yield from ()


class Join(PipelineStep):
    """The one task over all sketches: near-duplicates, splits, and held-out documents that stand in training."""

    name, type = "slimlit near-duplicates and parts", "DEDUP"

    def __init__(self, workplace: Workplace, settings: Preparation, num_chunks: int) -> None:
        super().__init__()
        self.workplace, self.settings, self.num_chunks = workplace, settings, num_chunks

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write the part of each document: 0 train, then the held-out ones, 255 dropped."""
        settings, like = self.settings, self.settings.near_duplicates or NearDuplicates()
        corpus = corpus_of(self.workplace, self.num_chunks, like)
        if settings.near_duplicates is not None:
            self.stat_update("dropped", value=find_duplicates(corpus, like, self.workplace)["dropped"])
        parts = deal(corpus, kept_documents(self.workplace, corpus), settings.split)
        if settings.contained is not None and settings.split:
            found = decontaminate(corpus, parts, like.num_characters, settings.contained)
            self.stat_update("dropped_contained", value=found["dropped"])
        np.save(self.workplace.folder / "parts.npy", parts)
        yield from ()


class Kept(PipelineStep):
    """A task's documents that stay, each with the name of its part, for a writer."""

    name, type = "slimlit kept", "READER"

    def __init__(self, workplace: Workplace, settings: Preparation) -> None:
        super().__init__()
        self.workplace, self.settings = workplace, settings

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """The documents of one chunk."""
        corpus = corpus_of(self.workplace, world_size, self.settings.near_duplicates or NearDuplicates())
        rows = corpus.rows(rank)
        parts = np.load(self.workplace.folder / "parts.npy", mmap_mode="r")[rows].tolist()
        names = ["train", *self.settings.split]
        for number, (line, part) in enumerate(zip(corpus.lines(rank), parts, strict=True)):
            if part < len(names):
                record = json.loads(line)
                document = Document(record.pop("text"), f"{rank}/{number}", metadata={"part": names[part], **record})
                self.update_doc_stats(document)
                yield document


def corpus_of(workplace: Workplace, num_chunks: int, like: NearDuplicates) -> Corpus:
    """The chunks that the tasks wrote."""
    sizes = [json.loads(workplace.chunk(number, "json").read_bytes())["kept"] for number in range(num_chunks)]
    return Corpus(workplace, sizes, like.num_bands)


def as_record(_: Any, document: Document) -> dict[str, Any]:
    """A document as the line it is written as."""
    return {"text": document.text, **{key: value for key, value in document.metadata.items() if key != "part"}}
