"""Writes what a run's model owes to which data: its own training, and all that went before it."""

from pathlib import Path

from lightning.pytorch import Trainer

from slimlit.callbacks.canaries import Canaries
from slimlit.callbacks.differential_privacy import private_callback
from slimlit.models.sources import find
from slimlit.privacy.ledger import NAME, STATEMENT, Ledger, Stage, fingerprint
from slimlit.runs import Run, write
from slimlit.tasks.base import Task


def write_ledger(trainer: Trainer, task: Task, run: Run, is_selected: bool) -> None:
    """Write ``privacy.json`` of a run and, beside the student, the same with a statement in words.

    Args:
        trainer: after training.
        task: with the networks it was made of.
        run: with its student written.
        is_selected: whether validation texts chose among checkpoints.
    """
    ledger = _before(task) + Ledger(_stages(trainer, run, is_selected), _notes(trainer))
    write(run.ledger, ledger.text())
    write(run.student / NAME, ledger.text())
    write(run.student / STATEMENT, ledger.statement())


def _stages(trainer: Trainer, run: Run, is_selected: bool) -> list[Stage]:
    data = trainer.datamodule  # type: ignore[attr-defined]
    sources, splits = getattr(data, "sources", {}), getattr(data, "splits", {})
    canaries = [f"{one.num} canaries drawn" for one in trainer.callbacks if isinstance(one, Canaries)]  # type: ignore[attr-defined]
    found = []
    for split, kind in (("train", "training"), ("validation", "selection")):
        if split not in splits or (split == "validation" and not is_selected):
            continue
        texts = splits[split]
        source = sources.get(split) or sources.get("train") or type(data).__name__
        real = len(texts) - (getattr(data, "num_planted", 0) if split == "train" else 0)  # canaries stand last
        identity = fingerprint(texts.texts[:real], None if texts.pairs is None else texts.pairs[:real])
        known = (run.name, kind, str(source), split, identity, len(texts))
        private = private_callback(trainer)
        if split == "validation":
            why = "the best checkpoint was chosen by its score on these texts, without noise"
            found.append(Stage(*known, why=why))
        elif private is not None:
            steps, mechanism, why = private.releases(trainer)
            unit = str(mechanism.get("unit", "example"))
            said = "; ".join([why, *canaries] if why else canaries)
            found.append(Stage(*known, unit=unit, steps=steps, why=said, mechanism=mechanism))
        else:
            found.append(Stage(*known, why="; ".join(["trained without noise", *canaries])))
    return found


def _notes(trainer: Trainer) -> list[str]:
    private = private_callback(trainer)
    if private is not None and private.shows_loss:
        return ["Training losses were logged without noise; who saw the logs knows more than epsilon says."]
    return []


def _before(task: Task) -> Ledger:
    """The ledgers of the models this one was made of."""
    whole = Ledger()
    for network in (task.teacher_network, task.student_network):
        for source in (getattr(network, "source", None), getattr(network, "of", None)):
            if source is not None:
                whole += _of(source)
    return whole


def _of(source: str) -> Ledger:
    for folder in (Path(source), Path(find(source))):
        if (folder / NAME).is_file():
            return Ledger.read(folder / NAME)
    return Ledger(notes=[f"What {source} saw in its own training; it came without a ledger."])
