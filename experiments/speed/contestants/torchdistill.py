"""torchdistill: its distillation box with its KDLoss, driven by the loop of its examples."""

import sys
from types import ModuleType
from typing import Any

import torch
from transformers import PreTrainedModel

from experiments.speed.clock import Clock, TimedLoader
from experiments.speed.job import Example, Job, collate


def train(job: Job, clock: Clock) -> PreTrainedModel:
    """Train the student."""
    stand_in_for_torchvision()
    import torchdistill.losses  # type: ignore[import-not-found]  # noqa: F401 (registers KDLoss)
    from torchdistill.core.distillation import get_distillation_box  # type: ignore[import-not-found]

    teacher, student = job.networks()
    loader = TimedLoader(job.examples("train"), job.batch_size, shuffle=True, collate_fn=with_targets)  # type: ignore[arg-type]
    loader.clock = clock
    num_steps = job.num_epochs * len(loader)
    box: Any = get_distillation_box(
        _Logits(teacher), _Logits(student), {}, config(job, num_steps), torch.device("cpu"), None, False, 1.0
    )
    box.train_data_loader = loader
    box.teacher_model.eval()  # torchdistill leaves it as it came; a frozen teacher is in eval mode for everyone here
    clock.begin()
    for epoch in range(box.num_epochs):
        box.pre_epoch_process(epoch=epoch)
        for batch, targets, supplement in box.train_data_loader:
            box.pre_forward_process()
            box.post_forward_process(box.forward_process(batch, targets, supplement))
        box.post_epoch_process()
    clock.end()
    return student


class _Logits(torch.nn.Module):
    """A network whose output is its logits, as KDLoss reads it."""

    def __init__(self, network: PreTrainedModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        logits: torch.Tensor = self.network(**batch).logits
        return logits


def with_targets(examples: list[Example]) -> tuple[Any, torch.Tensor, dict[str, Any]]:
    """A batch in the three parts that torchdistill's loop takes."""
    batch = collate(examples)
    return batch, batch.pop("labels"), {}


def config(job: Job, num_steps: int) -> dict[str, Any]:
    """What its YAML would say."""
    loss = {
        "key": "KDLoss",
        "kwargs": {
            "student_module_path": ".",
            "student_module_io": "output",
            "teacher_module_path": ".",
            "teacher_module_io": "output",
            "temperature": job.temperature,
            "alpha": 0.5,
        },
    }
    return {
        "num_epochs": job.num_epochs,
        "teacher": {"sequential": [], "forward_proc": "forward_batch_only", "requires_grad": False},
        "student": {"sequential": [], "forward_proc": "forward_batch_only"},
        "optimizer": {"key": "AdamW", "kwargs": {"lr": job.lr, "weight_decay": job.weight_decay}},
        "scheduler": {
            "key": "LambdaLR",
            "kwargs": {"lr_lambda": job.scale(num_steps)},
            "scheduling_step": 1,
        },
        "criterion": {
            "key": "WeightedSumLoss",
            "kwargs": {"sub_terms": {"kd": {"criterion": loss, "weight": 1.0}}},
            "func2extract_model_loss": "extract_model_loss_dict",
        },
    }


def stand_in_for_torchvision() -> None:
    """Let ``import torchvision`` pass: torchdistill imports its image models at start, and there is no torchvision for torch 2.13 on CPU here.

    Nothing of it runs in this job.
    """
    for name in ("", ".datasets", ".transforms", ".models", ".models.densenet", ".models.resnet"):
        module = sys.modules[f"torchvision{name}"] = ModuleType(f"torchvision{name}")
        parent, _, child = module.__name__.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    for name, parts in {"densenet": ("_DenseBlock", "_Transition"), "resnet": ("BasicBlock", "conv1x1")}.items():
        for part in parts:
            setattr(sys.modules[f"torchvision.models.{name}"], part, type(part, (torch.nn.Module,), {}))
