"""What is examined: a trained network, texts it was not trained on, and what is asked of each."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from slimlit.explain.question import Question, removable
from slimlit.explain.words import find_words
from slimlit.models import Head, Pretrained, PreTrainedModel, read
from slimlit.models.tokenizers import Tokenizer, load_tokenizer
from slimlit.types import Batch


@dataclass(frozen=True)
class Subject:
    """A network and its texts, ready for an exam."""

    network: PreTrainedModel
    tokenizer: Tokenizer
    batch: Batch
    question: Question
    words: Tensor
    blank: int | None

    @property
    def special_ids(self) -> frozenset[int]:
        """Tokens that are no words."""
        return frozenset(self.tokenizer.all_special_ids)

    @property
    def removable(self) -> Tensor:
        """Inputs that may be taken away."""
        return removable(self.batch, self.question, self.special_ids)


def classifier(run: Path, file: Path, num_texts: int, max_length: int = 64) -> Subject:
    """Texts of a TSV file with a header, the first column the text; each asked for the class it is given."""
    tokenizer = load_tokenizer(str(run))
    network = Pretrained(str(run)).build(Head()).eval()
    texts = [line.split("\t")[0] for line in file.read_text(encoding="utf-8").splitlines()[1 : num_texts + 1]]
    encodings = tokenizer(texts, truncation=True, max_length=max_length).encodings
    words = []
    for encoding, text in zip(encodings, texts, strict=True):
        member = torch.full((len(encoding.ids),), -1)
        for number, word in enumerate(find_words(encoding, [text])):
            member[list(word.tokens)] = -1 if word.is_special else number
        words.append(member)
    batch = _batch([encoding.ids for encoding in encodings])
    with torch.no_grad():
        classes = read(network, batch).logits.argmax(dim=1)
    return Subject(network, tokenizer, batch, Question(classes), _padded(words), None)


def tagger(run: Path, file: Path, column: str, num_texts: int, max_length: int = 64) -> Subject:
    """Sentences of a JSON-lines file in which the network finds something; each asked for the first thing it finds."""
    tokenizer = load_tokenizer(str(run))
    labels = list(json.loads((run / "student" / "config.json").read_text())["id2label"].values())
    network = Pretrained(str(run)).build(Head(labels, "token_classification")).eval()
    open_file = gzip.open if file.suffix == ".gz" else open
    with open_file(file, "rt", encoding="utf-8") as lines:
        sentences = [json.loads(line)[column] for line, _ in zip(lines, range(8 * num_texts), strict=False)]
    encodings = tokenizer(sentences, is_split_into_words=True, truncation=True, max_length=max_length).encodings
    batch = _batch([encoding.ids for encoding in encodings])
    words = _padded([torch.tensor([-1 if n is None else n for n in one.word_ids]) for one in encodings])
    with torch.no_grad():
        found = read(network, batch).logits.argmax(dim=2) * (words >= 0)
    rows = torch.nonzero((found != labels.index("O")).any(1) & ((words >= 0).sum(1) >= 8)).flatten()[:num_texts]
    places = (found[rows] != labels.index("O")).int().argmax(dim=1)
    chosen = Batch(**{name: part[rows] for name, part in batch.items()})  # type: ignore[attr-defined,typeddict-item]
    question = Question(found[rows, places], places, "token_classification")
    return Subject(network, tokenizer, chosen, question, words[rows], tokenizer.mask_token_id)


def _batch(ids: list[list[int]]) -> Batch:
    mask = _padded([torch.ones(len(row), dtype=torch.int64) for row in ids], 0)
    zeros = torch.zeros(len(ids), dtype=torch.int64)
    text = _padded([torch.tensor(row) for row in ids], 0)
    return Batch(input_ids=text, attention_mask=mask, labels=zeros, example_id=torch.arange(len(ids)))


def _padded(rows: list[Tensor], fill: int = -1) -> Tensor:
    found: Tensor = pad_sequence(rows, batch_first=True, padding_value=fill)
    return found
