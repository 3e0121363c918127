"""What would make the claim of a private run untrue, found before it trains."""

from collections.abc import Iterator
from dataclasses import asdict

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy

from slimlit.privacy.journal import Mechanism
from slimlit.tasks.base import Task


def refuse_another(begun: Mechanism, now: Mechanism) -> None:
    """Refuse to go on otherwise than the run began: its first steps protected other units, or otherwise."""
    for name, before in asdict(begun).items():
        after = asdict(now)[name]
        if name != "delta" and before != after:
            raise ValueError(
                f"the run began with {name.replace('_', ' ')} {before}, and is resumed with {after}\n"
                "resume it as it began, or start another run: --run NAME"
            )


def problems(trainer: Trainer, module: LightningModule) -> Iterator[str]:
    """What stands against a private fit, each in words, with what to do."""
    data, strategy = trainer.datamodule, trainer.strategy  # type: ignore[attr-defined]
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    if any(isinstance(one, GradientAccumulationScheduler) for one in callbacks):
        yield "GradientAccumulationScheduler puts several samples into a step\ntake it out of trainer.callbacks"
    stop_words = getattr(data, "stop_words", None)
    if not isinstance(module, Task):
        yield f"{type(module).__name__} is no slimlit task\nsubclass slimlit.tasks.Task"
    if not module.automatic_optimization:
        yield "manual optimization makes its own steps\nset automatic_optimization"
    if not hasattr(data, "draw"):
        yield f"{type(data).__name__} cannot be sampled example by example\nuse a data module of slimlit.data, or subclass slimlit.data.TextModule"
    if trainer.gradient_clip_val is not None:
        yield "gradient_clip_val clips the sum, after the noise\ntake it out: max_grad_norm clips each example"
    if trainer.precision not in ("32-true", "bf16-mixed"):
        yield f"precision {trainer.precision} scales or rounds gradients\nset trainer.precision to bf16-mixed or 32-true"
    if not isinstance(strategy, SingleDeviceStrategy | DDPStrategy):
        yield f"strategy {type(strategy).__name__} keeps gradients where the noise cannot reach\nuse one device, or ddp"
    if trainer.overfit_batches > 0:  # type: ignore[attr-defined]
        yield "overfit_batches repeats the same examples, which Poisson sampling does not\ntake it out"
    if stop_words is not None and stop_words.mode != "off" and stop_words.words == "corpus":
        yield "stop words counted in the private texts escape the noise\nset data.init_args.stop_words.words to a language"
