"""Writes what a run's model owes to which data: its own training, and all that went before it."""

from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from slimlit.callbacks.canaries import Canaries
from slimlit.callbacks.differential_privacy import private_callback
from slimlit.models.sources import find
from slimlit.privacy.ledger import NAME, STATEMENT, Ledger, Stage, fingerprint, machine_key
from slimlit.runs import Run, write
from slimlit.tasks.base import Task
from slimlit.text.bundles import BUNDLES
from slimlit.text.bundles import find as find_bundle
from slimlit.text.cache import cache_folder


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
    ledger = _before(task, getattr(data, "tokenizer_source", None)) + Ledger(
        _stages(trainer, run, is_selected), _notes(trainer)
    )
    write(run.ledger, ledger.text())
    write(run.student / NAME, ledger.text())
    write(run.student / STATEMENT, ledger.statement())


def _stages(trainer: Trainer, run: Run, is_selected: bool) -> list[Stage]:
    data = trainer.datamodule  # type: ignore[attr-defined]
    sources, splits = getattr(data, "sources", {}), getattr(data, "splits", {})
    canaries = [f"{one.num} canaries drawn" for one in trainer.callbacks if isinstance(one, Canaries)]  # type: ignore[attr-defined]
    found, key = [], machine_key(cache_folder())
    for split, kind in (("train", "training"), ("validation", "selection")):
        if split not in splits or (split == "validation" and not is_selected):
            continue
        texts = splits[split]
        source = sources.get(split) or sources.get("train") or type(data).__name__
        real = len(texts.texts) - (getattr(data, "num_planted", 0) if split == "train" else 0)  # canaries stand last
        identity = fingerprint(texts.texts[:real], None if texts.pairs is None else texts.pairs[:real], key)
        known = (run.name, kind, str(source), split, identity)
        private = private_callback(trainer)
        if split == "validation":
            why = "the end of training or the checkpoint was chosen by scores on these texts, without noise"
            found.append(Stage(*known, len(texts), why=why))
        elif private is not None:
            steps, mechanism, why = private.releases(trainer)
            unit, count = str(mechanism.get("unit", "example")), int(mechanism.get("num_units", len(texts)))
            said = "; ".join([why, *canaries] if why else canaries)
            found.append(Stage(*known, count, unit, steps, said, mechanism, private.journal.identity()))
        else:
            found.append(Stage(*known, len(texts), why="; ".join(["trained without noise", *canaries])))
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
    for folder in (Path(source), Path(find(source))):
        if (folder / NAME).is_file():
            return Ledger.read(folder / NAME)
    return Ledger(notes=[_unknown(source)])


def _unknown(source: str) -> str:
    return f"What {source} saw in its own training; it came without a ledger."


def _of_vocabulary(source: str, is_counted: bool) -> Ledger:
    """What made the vocabulary of a tokenizer; the rest of what its folder's model saw is no part of it.

    Args:
        source: of the tokenizer.
        is_counted: whether a model of this source is counted already, or said to be unknown.
    """
    folder = find_bundle(source) if not Path(source).is_dir() and source in BUNDLES else Path(source)
    for place in (folder / "student", folder):
        if (place / NAME).is_file():
            return Ledger(stage for stage in Ledger.read(place / NAME).stages if stage.kind == "vocabulary")
    return Ledger(
        notes=[] if is_counted else [f"What the vocabulary of {source} was made of; it came without a ledger."]
    )
