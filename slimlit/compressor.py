"""``compress``: what of a finished run stays, as a plan in a new run's folder, and the new run's config."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from slimlit import runs
from slimlit.callbacks.ledger import write_choices
from slimlit.command_line import named_labels
from slimlit.compress.choosing import Shares, choose
from slimlit.compress.configurations import first_words
from slimlit.compress.importance import Score, Scores, by_texts, by_weights
from slimlit.compress.plans import Plan
from slimlit.compress.pruning import prune
from slimlit.compress.report import compare
from slimlit.compress.vocabulary import fewer_words, keep_words
from slimlit.data import TextModule
from slimlit.data.batches import SortedBatches
from slimlit.data.examples import Examples
from slimlit.data.tokenized import TokenizedTexts
from slimlit.models import Head, Pretrained, PreTrainedModel
from slimlit.runs import Run
from slimlit.tasks.base import Task

BATCH = 32
_SOFT = {"class_path": "slimlit.losses.SoftTargets", "init_args": {"temperature": 2.0}}
_WORDS = {"class_path": "slimlit.losses.VocabularyTargets"}


@dataclass(frozen=True)
class Compression:
    """What was asked for.

    Args:
        to: the new run.
        shares: of the parts to take away.
        vocabulary: ``all``, ``seen`` (in the training texts), or a file with a text a line.
        embedding_size: width of the word table; None leaves it.
        score: what the parts are chosen by.
        weights: how they are held.
        epochs: of distillation afterwards.
        teacher: to distil from.
        max_examples: texts scored.
        seed: of the texts drawn.
    """

    to: Run
    shares: Shares
    vocabulary: str
    embedding_size: int | None
    score: Score
    weights: str
    epochs: int
    teacher: str
    max_examples: int
    seed: int

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.max_examples < 1 or self.seed < 0:
            raise ValueError(
                f"--epochs is {self.epochs}, --max_examples {self.max_examples}, --seed {self.seed}\n"
                "expected 0 or more, 1 or more, 0 or more"
            )
        if not self.has_plan and self.weights == "float32":
            raise ValueError(
                "nothing to take away: every part was to stay whole\nfor example: --vocabulary seen --heads 0.5 --feed_forward 0.5"
            )
        if self.vocabulary not in ("all", "seen") and not Path(self.vocabulary).is_file():
            raise ValueError(
                f"--vocabulary is {self.vocabulary!r}, which is no file\nexpected all, seen, or a file with a text a line"
            )

    @property
    def has_plan(self) -> bool:
        """Whether something is taken away, and not just rounded."""
        return self.shares != Shares() or self.vocabulary != "all" or self.embedding_size is not None


def compress_run(
    run: Run, asked: Compression, task: Task, data: TextModule, device: torch.device
) -> tuple[str, dict[str, Any]]:
    """Write the plan, with its tokenizer and ledger, into the new run's folder; the config of its fit, and what was found.

    The new run is then made by an ordinary ``fit`` of that config.

    Raises:
        ValueError: what is asked does not go with the network.
    """
    if "quantization_config" in json.loads((run.student / "config.json").read_text(encoding="utf-8")):
        raise ValueError(f"the weights of run {run.name!r} are rounded already\ncompress the run it was made of")
    data.setup("fit")
    head = Head(list(data.labels), task.kind)
    network = Pretrained(str(run.folder)).build(head).to(device)
    choices: dict[str, tuple[str, str, list[str] | None]] = {}
    plan = Plan(embedding_size=asked.embedding_size)
    if asked.shares != Shares():
        plan = choose(network.config, _scores(network, task, data, asked, device), asked.shares)
        plan = replace(plan, embedding_size=asked.embedding_size)
        if asked.score != "weights":
            choices["pruning"] = (
                f"parts were chosen by how much they matter on these texts ({asked.score}), without noise",
                "",
                None,
            )
    tokenizer = None
    if asked.vocabulary != "all":
        texts = None if asked.vocabulary == "seen" else Path(asked.vocabulary).read_text(encoding="utf-8").splitlines()
        used = _used(data, texts)
        words = keep_words(data.tokenizer, used, first_words(network.config))
        tokenizer = fewer_words(data.tokenizer, words)
        plan = replace(plan, words=words)
        choices["vocabulary"] = ("the words of these texts were kept, without noise", asked.vocabulary, texts)
    small = prune(network, plan)
    folder = asked.to.folder / "plan"
    if plan != Plan():
        plan.save(folder)
        write_choices(folder, asked.to, data, choices)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    config = _config(run, asked, folder, task.kind, plan.words is not None)
    asked_for = {
        "of": str(run.folder),
        "score": asked.score,
        "vocabulary": asked.vocabulary,
        "epochs": asked.epochs,
        "weights": asked.weights,
        **{name: getattr(asked, name) for name in ("embedding_size", "teacher", "max_examples", "seed")},
        "shares": vars(asked.shares),
    }
    report = {**asked_for, **compare(network, small)}
    runs.write(asked.to.reports / "compress.json", json.dumps(report, indent=2) + "\n")
    return yaml.safe_dump(config, sort_keys=False), report


def _scores(network: PreTrainedModel, task: Task, data: TextModule, asked: Compression, device: torch.device) -> Scores:
    if asked.score == "weights":
        return by_weights(network)
    task.student, task.teacher = network, None
    task.loss.prepare(network, None)
    split = data.splits["train"]
    rows = np.random.default_rng(asked.seed).permutation(len(split))[: asked.max_examples]

    def batches() -> Any:
        for places in SortedBatches(np.asarray(split.lengths)[rows], BATCH):
            batch = split.batch(rows[places].tolist())
            yield {name: part.to(device) for name, part in batch.items()}

    return by_texts(network, batches(), lambda batch: task.loss.combine(task.parts(batch)), asked.score)


def _used(data: TextModule, texts: list[str] | None) -> list[int]:
    """The tokens of the texts."""
    if texts is not None:
        return sorted({number for row in data.tokenizer(texts)["input_ids"] for number in row}) if texts else []
    split = data.splits["train"]
    if isinstance(split, Examples):
        return Examples.words(split)  # of a masked split all words may come, in the place of others
    if isinstance(split, TokenizedTexts):
        return split.words()
    raise ValueError(
        f"which words {type(data).__name__} uses is not known: its texts are tokens already\n"
        "name a file with a text a line: --vocabulary FILE"
    )


def _config(run: Run, asked: Compression, folder: Path, kind: str, has_words: bool) -> dict[str, Any]:
    """The old run's config, with the new student, and with the old one for its teacher where there is training."""
    config: dict[str, Any] = yaml.safe_load(run.config.read_text())
    named_labels(config, run)
    model, data, trainer = config["model"]["init_args"], config["data"]["init_args"], config["trainer"]
    of = {"source": str(run.folder), "plan": str(folder)}
    if not asked.has_plan:
        model["student"] = {"class_path": "slimlit.models.Pretrained", "init_args": {"source": str(run.folder)}}
    else:
        model["student"] = {"class_path": "slimlit.compress.Pruned", "init_args": of}
    data["tokenizer"] = str(folder if has_words else run.folder)
    trainer |= {"max_epochs": asked.epochs, "max_steps": -1, "min_epochs": None, "min_steps": None}
    model["loss"], model["teacher"] = None, None
    if asked.epochs:
        name = "slimlit.compress.FewerWords" if has_words else "slimlit.models.Pretrained"
        settings = {"source": asked.teacher, **({"plan": str(folder)} if has_words else {})}
        model["teacher"] = {"class_path": name, "init_args": settings}
        model["loss"] = _SOFT if kind.endswith("classification") else _WORDS
    else:
        trainer |= {"callbacks": None, "num_sanity_val_steps": 0}  # of training, and there is none
    if asked.weights != "float32":
        kept = {
            "bits": 4 if asked.weights == "int4" else 8,
            "activations": "int8" if "dynamic" in asked.weights else "float",
        }
        last = {"class_path": "slimlit.callbacks.Quantise", "init_args": kept}
        trainer["callbacks"] = [*(trainer["callbacks"] or []), last]
    config |= {"run": asked.to.name, "runs": str(asked.to.folder.parent), "ckpt_path": None, "resume": False}
    return config
