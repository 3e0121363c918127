"""``Canaries``: plants made-up texts among the training texts, by secret coins, so that ``slimlit audit`` can bound epsilon."""

import secrets
from pathlib import Path

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from slimlit.data import TextClassification
from slimlit.data.files import Texts
from slimlit.models.tokenizers import Tokenizer
from slimlit.privacy.canaries import Canary, draw_canaries, read_canaries, write_canaries
from slimlit.runs import Run
from slimlit.text.clean import clean

_POOL = 5000  # tokens looked at for words


class Canaries(Callback):
    """Draws texts of random vocabulary words with random labels, and adds each to the training texts by a coin of its own.

    Texts, labels and coins come from the operating system, stand in ``private/canaries.jsonl`` of the run, readable by its
    owner only, and are the same again when the run is resumed. ``slimlit audit --run NAME`` guesses the coins.

    Guarantees:
        - canaries are training examples like any other: sampled, clipped, counted in sample rate, delta and ledger; under
          a ``group_column`` each is a group of its own;
        - they say nothing of the private texts, and are planted before anything counts these, whatever the order of callbacks;
        - neither texts nor coins are in a checkpoint, log or export (a hash of all training texts is in the checkpoint).

    Args:
        num: canaries, of which about half are planted. The bound on epsilon grows with their number, the logarithm at best;
            their labels are noise to the student.
        num_words: words of each text.
        seed: draw texts, labels and coins from this number, for tests: whoever reads the config then knows them.
    """

    def __init__(self, num: int = 500, num_words: int = 8, seed: int | None = None) -> None:
        for name, value in {"num": num, "num_words": num_words}.items():
            if value < 1:
                raise ValueError(f"Canaries.{name} is {value}; expected 1 or more")
        self.num, self.num_words, self.seed = num, num_words, seed
        self._planted_in: TextClassification | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Plant, unless another callback that counts the texts had it done already."""
        if stage == TrainerFn.FITTING:
            self.plant(trainer)

    def plant(self, trainer: Trainer) -> None:
        """Draw the canaries, or read those of the run, and add the planted ones to the training texts, once.

        Raises:
            ValueError: the data cannot take any, or the run began with others or with none.
        """
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, TextClassification):
            raise ValueError(f"{type(data).__name__} takes no canaries\nuse slimlit.data.TextClassification")
        if self._planted_in is data:
            return
        canaries = self._draw(Run(Path(trainer.default_root_dir)), data) if trainer.is_global_zero else []
        data.plant(as_texts([one for one in trainer.strategy.broadcast(canaries) if one.planted]), self.num)
        self._planted_in = data

    def _draw(self, run: Run, data: TextClassification) -> list[Canary]:
        canaries = read_canaries(run.private)
        if canaries is None:
            if run.last.exists():
                raise ValueError(f"run {run.name!r} began without canaries\nplant them in another run: --run NAME")
            entropy = secrets.randbits(128) if self.seed is None else self.seed
            random = np.random.default_rng(entropy)
            words = vocabulary_words(data.tokenizer, random)
            pairs = data.columns.pair is not None
            canaries = draw_canaries(self.num, words, self.num_words, data.labels, random, pairs)
            write_canaries(run.private, canaries)
        if len(canaries) != self.num:
            raise ValueError(
                f"Canaries.num is {self.num}; run {run.name!r} began with {len(canaries)}\nresume it with those"
            )
        return canaries


def plant_canaries(trainer: Trainer) -> None:
    """Have the trainer's canaries planted now, where it has any: for callbacks whose set-up counts the training texts."""
    for one in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(one, Canaries):
            one.plant(trainer)


def as_texts(canaries: list[Canary]) -> Texts:
    """Canaries as a data module takes texts."""
    pairs = [one.pair for one in canaries if one.pair is not None]
    return Texts([one.text for one in canaries], pairs or None, [one.label for one in canaries])


def vocabulary_words(tokenizer: Tokenizer, random: np.random.Generator) -> list[str]:
    """Whole words of a tokenizer's vocabulary, some thousands at most.

    Raises:
        ValueError: it has none.
    """
    tokens = random.permutation(len(tokenizer))[:_POOL]
    decoded = tokenizer.batch_decode([[int(token)] for token in tokens], skip_special_tokens=True)
    words = sorted({word for text in decoded if (word := clean(text)).isalpha()})
    if not words:
        raise ValueError("the tokenizer's vocabulary has no whole words to make canaries of")
    return words
