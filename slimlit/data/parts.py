"""``Parts``: the rows of each split, read once: of a file of its own, or dealt out of the training file."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar, cast, runtime_checkable

from slimlit.data.files import Texts
from slimlit.data.splits import count_shared, make_splits

S = TypeVar("S")


@runtime_checkable
class Rows(Protocol):
    """What a file holds: texts, pairs, sentences, dialogues."""

    def __len__(self) -> int: ...

    def take(self: S, rows: list[int]) -> S:
        """Those rows, in that order."""

    def as_texts(self) -> Texts:
        """What makes two rows the same, and the label by which they are dealt out evenly."""


R = TypeVar("R", bound=Rows)


class Parts(Generic[R]):
    """The rows of ``train``, ``validation``, ``test`` and ``predict``, each read when first asked for.

    Args:
        sources: where each is read from; validation and test without one are dealt out of the training rows.
        share: of the training rows, for those that have no source.
        seed: of the dealing.
        read: the rows of a source, for the split of that name.
        noun: what a row is called, several of them.
    """

    def __init__(
        self,
        sources: Mapping[str, str | None],
        share: Mapping[str, float],
        seed: int,
        read: Callable[[str, str], R],
        noun: str = "texts",
    ) -> None:
        self.sources, self.share, self.seed, self.read, self.noun = sources, share, seed, read, noun
        self.known: dict[str, R] = {}

    @property
    def made(self) -> dict[str, float]:
        """The shares of the splits that are dealt out."""
        return {name: share for name, share in self.share.items() if self.sources[name] is None}

    def of(self, name: str) -> R:
        """The rows of a split.

        Raises:
            ValueError: there is no such file, or it is not as expected, or nothing was named to predict.
        """
        if name not in self.known:
            if name == "predict" or (self.sources[name] is not None and name != "train"):
                self.known[name] = self.read(self.source(name), name)
            else:
                whole = self.read(cast(str, self.sources["train"]), "train")
                self.known |= {part: whole.take(rows) for part, rows in self.rows(whole).items()}
        return self.known[name]

    def source(self, name: str) -> str:
        """Where the rows of a split are read from.

        Raises:
            ValueError: nothing was named to predict.
        """
        source = self.sources[name]
        if source is None:
            raise ValueError(f"there is nothing to predict\nname the {self.noun}: --data.predict FILE")
        return source

    def for_labels(self, name: str) -> R:
        """The training rows, which tell the classes, when the split of that name is read.

        Raises:
            ValueError: they cannot be read, and the classes are not given.
        """
        try:
            return self.of("train")
        except ValueError as problem:
            if name == "train" or self.sources[name] is None:
                raise
            raise ValueError(
                f"the classes are not given, and the training {self.noun} that tell them cannot be read\n{problem}\n"
                "name them in order: data.init_args.labels"
            ) from problem

    def rows(self, whole: R) -> dict[str, list[int]]:
        """Which rows of the training file each part has that is dealt out of it."""
        if not self.made:
            return {"train": list(range(len(whole)))}
        return make_splits(whole.as_texts(), self.made, self.seed)

    def num_shared(self) -> int | str:
        """Rows of validation or test that are in training too; in words why that is not known."""
        others: Sequence[Texts] = [self.known[name].as_texts() for name in ("validation", "test") if name in self.known]
        try:
            return count_shared(self.of("train").as_texts(), others)
        except ValueError as problem:  # tested where the training rows are not
            return f"unknown: {str(problem).splitlines()[0]}"
