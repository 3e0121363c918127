"""``Quantise``: a student with weights of 8 or 4 bits, which has felt the rounding while it was trained."""

from functools import partial

from lightning.pytorch import Callback, LightningModule, Trainer

from slimlit.callbacks.differential_privacy import is_private
from slimlit.compress.quantising import feel_rounding, quantise
from slimlit.models.quantised import Activations
from slimlit.models.rounding import Bits
from slimlit.tasks.base import Task


class Quantise(Callback):
    """Writes the student with quantised weights, word table included; until then training computes with rounded ones.

    With a teacher this is quantisation-aware distillation; with ``trainer.max_epochs: 0`` it is rounding alone. Checkpoints hold
    the exact weights, and validation scores are those of rounded ones.

    Guarantees:
        - the student that is written says what the student that was trained said, but for the order of sums.

    Args:
        bits: of a weight, 8 or 4.
        activations: ``int8`` rounds each token's state too, where weights have 8 bits; several times faster than float on a CPU
            with VNNI.
    """

    def __init__(self, bits: Bits = 8, activations: Activations = "float") -> None:
        if activations == "int8" and bits != 8:
            raise ValueError(
                f"Quantise.activations int8 goes with 8 bits, and bits is {bits}\nset activations to float"
            )
        self.bits, self.activations = bits, activations

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the student feel the rounding, and have it quantised when it is written.

        Raises:
            ValueError: the run is private: the engine's gradients of single examples do not know of rounding.
        """
        assert isinstance(pl_module, Task)
        if is_private(trainer):
            raise ValueError(
                "Quantise does not go with DifferentialPrivacy\ntrain privately first, then: slimlit compress --run NAME --to NEW --weights int8"
            )
        feel_rounding(pl_module.student, self.bits, self.activations)
        pl_module.finishers.append(partial(quantise, bits=self.bits, activations=self.activations))
