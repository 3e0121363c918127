"""``refuse_private``: texts that a run protects are shown to nobody, a word at a time neither."""

from slimlit.privacy.ledger import Ledger, Stage, is_same_source, machine_key, place_of
from slimlit.text.cache import cache_folder


def refuse_private(ledger: Ledger, run: str, source: str | None, split: str | None = None) -> None:
    """Refuse to show texts that a model's lineage touched under privacy, or any split of a run that trained so.

    An explanation of a text shows its words, and how the model came by its answer; whoever sees explanations of private training
    texts sees the texts. Texts of one's own, a file that no private stage read, and public probe texts are not refused.

    Guarantees:
        - a private file is refused in whichever split it is asked for, and so are links to it and a folder that holds it; a copy of it
          elsewhere is not known;
        - of a private run, its validation and test texts are refused too: they are mostly of the same people;
        - a run without noise, of models without noise, is refused nothing: its ledger promises nothing.

    Args:
        ledger: of the model.
        run: its name.
        source: the file, folder or name the texts come from; None where they are typed.
        split: the split of the run's own that they are; None where they are given.

    Raises:
        ValueError: the texts are private.
    """
    private = [stage for stage in ledger.stages if stage.steps is not None]
    trained = [stage for stage in ledger.stages if stage.kind == "training"]
    is_private = bool(trained) and trained[-1].steps is not None  # whatever the run is called by now
    if split is not None and (is_private or any(stage.run == run for stage in private)):
        raise ValueError(
            f"run {run!r} was trained under differential privacy; its {split} texts are shown to nobody\n"
            "give texts that may be shown: a text of your own, or a file of public ones"
        )
    if source is None:
        return
    key = machine_key(cache_folder())
    here = Stage(run, "reading", source, split or "", "", 0, place=place_of(source, key))
    for stage in private:
        if is_same_source(here, stage):
            raise ValueError(
                f"{source} was read under differential privacy by {stage.run}; its texts are shown to nobody\n"
                "give texts that may be shown: a text of your own, or a file of public ones"
            )
