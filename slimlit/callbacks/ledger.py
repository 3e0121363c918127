"""Writes what a run's model owes to which data: its own training, and all that went before it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from slimlit.callbacks.canaries import Canaries
from slimlit.callbacks.differential_privacy import private_callback
from slimlit.data import TextModule
from slimlit.models.sources import find
from slimlit.privacy.ledger import (
    MAKERS,
    NAME,
    STATEMENT,
    Ledger,
    Stage,
    fingerprint,
    is_same_source,
    machine_key,
    place_of,
)
from slimlit.privacy.origins import origin_of, origins_of, owed_by, write_origin_file
from slimlit.runs import Run, write
from slimlit.tasks.base import Task
from slimlit.text.cache import cache_folder
from slimlit.text.downloads.bundles import BUNDLES
from slimlit.text.downloads.bundles import find as find_bundle


def write_ledger(trainer: Trainer, task: Task, run: Run, is_selected: bool) -> None:
    """Write ``privacy.json`` of a run and, beside the student, the same with a statement in words.

    Args:
        trainer: after training.
        task: with the networks it was made of.
        run: with its student written.
        is_selected: whether validation texts chose among checkpoints.
    """
    is_selected |= any(
        isinstance(one, EarlyStopping | ModelCheckpoint) and str(one.monitor).startswith("validation")
        for one in trainer.callbacks  # type: ignore[attr-defined]
    )
    data = trainer.datamodule  # type: ignore[attr-defined]
    stages = _stages(trainer, run, is_selected)
    before = _before(task, getattr(data, "tokenizer_source", None))
    ledger = before + _of_texts(stages) + Ledger(stages, _notes(trainer))
    write(run.ledger, ledger.text())
    write(run.student / NAME, ledger.text())
    write(run.student / STATEMENT, ledger.statement())


def write_origin(output: Path, run: Run, source: str, num_texts: int) -> None:
    """Beside what ``predict`` wrote, write what its rows owe: the run's ledger, and the texts they were made of.

    Whoever trains on the rows finds it there, and takes it into the ledger of the student.

    Args:
        output: the file of rows.
        run: whose student wrote them.
        source: the file or name the texts came from.
        num_texts: rows.
    """
    known = Ledger.read(run.ledger) if run.ledger.is_file() else Ledger(notes=[_unknown(str(run.folder))])
    here = Stage(run.name, "reading", source, "", "", num_texts, place=place_of(source, machine_key(cache_folder())))
    splits = [stage.split for stage in known.stages if is_same_source(here, stage)]
    rows = {"source": source, "split": splits[0] if splits else "train", "num_units": num_texts, "run": run.name}
    about = "Each row of the file beside this was made of one text, by a model with this ledger; the file itself hides none."
    write_origin_file(origin_of(output), known, rows, about)


def write_choices(
    folder: Path, run: Run, data: TextModule, choices: dict[str, tuple[str, str, list[str] | None]]
) -> None:
    """Write, beside a plan of what stays of a model, which texts it was chosen by.

    Args:
        folder: of the plan.
        run: that is to be made by it.
        data: with its training texts read.
        choices: by kind of stage, why; the file of the texts and these, where they are not the training texts.
    """
    whole = Ledger()
    for kind, (why, source, texts) in choices.items():
        key = machine_key(cache_folder())
        known = _texts(data, "train") if texts is None else (source, "train", fingerprint(texts, None, key), len(texts))
        stage = Stage(run.name, kind, *known, why=why, place=place_of(known[0], key))
        owed = _of_texts([stage])
        if owed.stages:
            stage = replace(stage, mechanism={MAKERS: sorted({stage.run, *(one.run for one in owed.stages)})})
        whole += owed + Ledger([stage])
    write(folder / NAME, whole.text())


def _of_texts(stages: list[Stage]) -> Ledger:
    """What the texts of those stages owe, where they were made of others."""
    whole = Ledger()
    for stage in stages:
        whole += owed_by(stage, origins_of(Path(stage.source).expanduser()))
    return whole


def _texts(data: Any, split: str) -> tuple[str, str, str, int]:
    """What the ledger says of the texts of a split: their source, the split, their fingerprint, and how many there are."""
    sources, texts = getattr(data, "sources", {}), data.splits[split]
    source = sources.get(split) or sources.get("train") or type(data).__name__
    known_by, pairs = data.ledger_texts(split) if isinstance(data, TextModule) else (texts.texts, texts.pairs)
    real = len(known_by) - (getattr(data, "num_planted", 0) if split == "train" else 0)  # canaries stand last
    kept = data.ledger_fingerprint(split) if isinstance(data, TextModule) else None
    key = machine_key(cache_folder())
    identity = kept or fingerprint(known_by[:real], None if pairs is None else pairs[:real], key)
    return str(source), split, identity, len(texts)


def _stages(trainer: Trainer, run: Run, is_selected: bool) -> list[Stage]:
    data = trainer.datamodule  # type: ignore[attr-defined]
    canaries = [f"{one.num} canaries drawn" for one in trainer.callbacks if isinstance(one, Canaries)]  # type: ignore[attr-defined]
    found, key = [], machine_key(cache_folder())
    for split, kind in (("train", "training"), ("validation", "selection")):
        if split not in getattr(data, "splits", {}) or (split == "validation" and not is_selected):
            continue
        private = private_callback(trainer)
        if split == "train" and private is None and trainer.global_step == 0:
            continue  # nothing was learned of them: slimlit compress without epochs
        source, _, identity, num_texts = _texts(data, split)
        known = (run.name, kind, source, split, identity)
        if split == "validation":
            why = "the end of training or the checkpoint was chosen by scores on these texts, without noise"
            found.append(Stage(*known, num_texts, why=why))
        elif private is not None:
            steps, mechanism, why = private.releases(trainer)
            unit, count = str(mechanism.get("unit", "example")), int(mechanism.get("num_units", num_texts))
            said = "; ".join([why, *canaries] if why else canaries)
            found.append(Stage(*known, count, unit, steps, said, mechanism, private.journal.identity()))
        else:
            found.append(Stage(*known, num_texts, why="; ".join(["trained without noise", *canaries])))
        found[-1] = replace(found[-1], place=place_of(source, key))
    return found


def _notes(trainer: Trainer) -> list[str]:
    private = private_callback(trainer)
    if private is not None and private.shows_loss:
        return ["Training losses were logged without noise; who saw the logs knows more than epsilon says."]
    return []


def _before(task: Task, tokenizer: str | None) -> Ledger:
    """The ledgers of the models this one was made of, and of the vocabularies they and the data read with.

    A stage that comes on several ways is one stage.
    """
    whole = Ledger()
    networks = [network for network in (task.teacher_network, task.student_network) if network is not None]
    sources: list[str] = []
    for network in networks:
        made_of = network.made_of()
        if made_of is None:
            name = type(network).__name__
            whole += Ledger(notes=[f"What {name} is made of, which it does not say ({name}.made_of)."])
        sources += made_of or []
    for source in dict.fromkeys(sources):
        whole += _of(source)
    for vocabulary in dict.fromkeys([tokenizer, *(network.tokenizer_source for network in networks)]):
        if vocabulary is not None:
            whole += _of_vocabulary(vocabulary, vocabulary in sources or _unknown(vocabulary) in whole.notes)
    return whole


def _of(source: str) -> Ledger:
    if (Path(source) / NAME).is_file():  # a run, a folder, or a plan of what stays of one
        return Ledger.read(Path(source) / NAME)
    folder = Path(find(source))
    if (folder / NAME).is_file():
        return Ledger.read(folder / NAME)
    return Ledger(notes=[_unknown(source)])


def _unknown(source: str) -> str:
    return f"What {source} saw in its own training; it came without a ledger."


def _of_vocabulary(source: str, is_counted: bool) -> Ledger:
    """What made the vocabulary of a tokenizer, and the texts it was made of; the rest of what its folder's model saw is no part of it.

    Args:
        source: of the tokenizer.
        is_counted: whether a model of this source is counted already, or said to be unknown.
    """
    folder = find_bundle(source) if not Path(source).is_dir() and source in BUNDLES else Path(source)
    for place in (folder / "student", folder):
        if (place / NAME).is_file():
            known = Ledger.read(place / NAME)
            made = [stage for stage in known.stages if stage.kind == "vocabulary"]
            makers = {run for stage in made for run in stage.mechanism.get(MAKERS, [])}
            owed = [stage for stage in known.stages if stage in made or stage.run in makers]
            return Ledger(owed, known.notes if makers else [])
    return Ledger(
        notes=[] if is_counted else [f"What the vocabulary of {source} was made of; it came without a ledger."]
    )
