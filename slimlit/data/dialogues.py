"""``Dialogues``: instructions and dialogues of several turns, rendered by a chat template; only replies are learned."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from slimlit.data.examples import IGNORED
from slimlit.data.files import Texts
from slimlit.data.module import TextModule
from slimlit.data.parts import Parts
from slimlit.data.records import Numbered, Opened
from slimlit.data.replies import Replies, tokenise
from slimlit.data.text_rows import TextRows
from slimlit.models import PreTrainedModel
from slimlit.models.chat_template import give_template, stop_tokens
from slimlit.models.tokenizers import Tokenizer
from slimlit.text.conversations import Conversation, read_conversation

DIALOGUE = "dialogue"


@dataclass
class Conversations:
    """The dialogues of a file, the row each was read from, and what was left out."""

    conversations: list[Conversation]
    num_empty: int = 0
    broken: list[str] = field(default_factory=list)
    rows: "array[int]" = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.conversations)

    def take(self, rows: list[int]) -> "Conversations":
        """Those dialogues, in that order."""
        return Conversations([self.conversations[row] for row in rows])

    def as_texts(self) -> Texts:
        """The dialogues as plain text; those that are alike fall into one part."""
        return Texts([one.text for one in self.conversations], labels=[""] * len(self))


class Dialogues(TextModule):
    """Dialogues from files, as a causal language model reads them, with labels on the assistant's replies only.

    Each of ``train``, ``validation``, ``test`` and ``predict`` is a JSONL or Parquet file (``.gz`` too), a saved Hugging Face
    data set or a hub name, whose rows have ``messages`` (``[{role, content}]``), ``turns`` (texts, the user's first) or
    ``instruction``, ``input`` and ``output``. A missing validation or test split is made of the training dialogues.

    After ``setup`` each split's ``texts`` are prompts, all that comes before the last reply, and ``pairs`` the last replies;
    of ``predict``, what is to be answered.

    Guarantees:
        - a label is a token of a reply or the token that ends its turn, never a token of the template, a user or the system;
        - tokens are those of the whole rendered dialogue, as a model that is served reads it;
        - a dialogue too long loses whole first turns and keeps its last reply; what is cut or left out is in ``report``;
        - made splits never share a dialogue.

    Args:
        train: the dialogues to learn from.
        tokenizer: a run, bundled name, folder or hub name; the one of the network. Its chat template is used; one without
            gets ChatML (it must have ``<|im_start|>`` and ``<|im_end|>``), saved with the student.
        validation: dialogues to choose by.
        test: dialogues to report on.
        predict: dialogues to answer.
        replies: ``all`` learns every reply of a dialogue at once, as one example; ``each`` makes an example of each reply with
            what came before it; ``last`` learns the last only.
        system: the system's message for dialogues that have none of their own.
        template: a file with a chat template in Jinja, in the place of the tokenizer's.
        split: share of the training dialogues for validation and for test, where these are not given.
        max_length: tokens of an example at most.
        batch_size: examples of a batch, over all processes.
        seed: of made splits and of the order of batches.
    """

    def __init__(
        self,
        train: str,
        tokenizer: str,
        validation: str | None = None,
        test: str | None = None,
        predict: str | None = None,
        replies: Literal["all", "each", "last"] = "all",
        system: str | None = None,
        template: str | None = None,
        split: tuple[float, float] = (0.1, 0.1),
        max_length: int = 512,
        batch_size: int = 16,
        seed: int = 0,
    ) -> None:
        sources = {"train": train, "validation": validation, "test": test, "predict": predict}
        super().__init__(sources, tokenizer, max_length, batch_size, seed)
        self.replies = replies
        self.system = system
        self.template = template
        self.packing, self.masking = False, None  # a row is one dialogue, and no word is hidden
        share = {"validation": split[0], "test": split[1]}
        self.parts = Parts(sources, share, seed, self._read_file, "dialogues")

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, with a chat template."""
        found = super().tokenizer
        give_template(found, self.tokenizer_source, self.template)
        return found

    def read_rows(self, name: str) -> Conversations:
        """Read, and split where files are to be split.

        Raises:
            ValueError: files, columns or dialogues that are not as expected.
        """
        return self.parts.of(name)

    def make_split(self, name: str, found: Conversations) -> TextRows:
        """Tokenise.

        Raises:
            ValueError: all dialogues are too long, or none has a reply.
        """
        dialogues = found.conversations
        which: Replies = "none" if name == "predict" else self.replies
        examples = tokenise(dialogues, self.tokenizer, self.max_length, which, self.system)
        if not len(examples) and name != "predict":
            raise ValueError(
                f"none of {len(dialogues)} dialogues of {name} is left: "
                f"{', '.join(f'{count} {why}' for why, count in examples.notes.items() if count)}\n"
                "allow more tokens (data.init_args.max_length), or mend the file"
            )
        asked = examples.columns["labels"].values
        self.report[name] = {
            "dialogues": len(dialogues),
            "examples": len(examples),
            "tokens": int(examples.lengths.sum()),
            "tokens to learn": int((asked != IGNORED).sum()),
            **examples.notes,
        }
        return examples

    def open_rows(self, name: str) -> Opened:
        """The rows of the source of a split, as they are read.

        Raises:
            ValueError: there is no such source.
        """
        return Opened.of(self.parts.source(name), name)

    def gather(self, rows: Iterable[Numbered], name: str) -> Conversations:
        """The dialogues of rows; those that are none are described."""
        found = Conversations([])
        for row, record in rows:
            try:
                one = read_conversation(record)
            except ValueError as problem:
                found.broken.append(f"row {row + 1}: {problem}")
                continue
            if one.messages:
                found.rows.append(row)
                found.conversations.append(one)
            else:
                found.num_empty += 1
        return found

    def rows_of_examples(self, name: str, found: Conversations) -> npt.NDArray[np.int64]:
        """The number in the file of each example's row."""
        rows: npt.NDArray[np.int64] = np.asarray(found.rows, dtype=np.int64)[self.splits[name].documents]
        return rows

    def finish_setup(self, names: list[str]) -> None:
        """Count dialogues that are on two sides."""
        if "train" in names:
            self.note_padding("train")
            self.report["dialogues of validation or test that are in train too"] = self.parts.num_shared()

    def groups(self, column: str) -> npt.NDArray[np.int64]:
        """Whose each training example is, numbered from 0: by ``dialogue``, or by a column of the file (user, speaker).

        Raises:
            ValueError: no such column, or a dialogue without a group.
        """
        dialogues, of = self.parts.of("train").conversations, self.splits["train"].documents
        if column == DIALOGUE:
            return np.unique(of, return_inverse=True)[1]
        names = [str(one.record.get(column) or "") for one in dialogues]
        if not all(names):
            raise ValueError(
                f"{names.count('')} dialogues of {self.sources['train']} have nothing in column {column!r}\n"
                f"give each a group, or name the dialogue itself: group_column: {DIALOGUE}"
            )
        found: npt.NDArray[np.int64] = np.unique(np.asarray(names, dtype=object)[of].astype(str), return_inverse=True)[
            1
        ]
        return found

    def unprotected(self, group_column: str | None) -> str | None:
        """Why a step that clips and counts examples would not protect dialogues; None where it does."""
        if self.replies == "each" and group_column is None:
            return (
                "replies: each makes several examples of a dialogue, and each alone would be protected\n"
                f"set DifferentialPrivacy.group_column to {DIALOGUE}, which protects it whole, or learn replies: all"
            )
        return None

    def ledger_texts(self, name: str) -> tuple[Sequence[str], None]:
        """The whole dialogues, left-out ones too, whatever template, cut or way to learn made the examples."""
        return [one.text for one in self.parts.of(name).conversations], None

    def prepare_student(self, student: PreTrainedModel) -> None:
        """Have a student that stops where a reply ends, wherever it is loaded."""
        if student.generation_config is not None:
            student.generation_config.eos_token_id = sorted(stop_tokens(student, self.tokenizer))

    def _read_file(self, source: str, name: str) -> Conversations:
        opened = Opened.of(source, name)
        found = self.gather(opened.rows, name)
        found.broken = opened.broken + found.broken
        self.note_file(name, source, found, duplicates=len(found) - len({one.text for one in found.conversations}))
        if not len(found):
            why = found.broken[0] if found.broken else f"{found.num_empty} empty rows"
            raise ValueError(f"no dialogue in {source}: {why}")
        return found
