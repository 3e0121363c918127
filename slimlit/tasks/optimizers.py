"""The optimizer a task uses when its YAML names none."""

from collections.abc import Iterable

import torch
from torch import nn


class AdamW(torch.optim.AdamW):
    """``torch.optim.AdamW``, fused, with a learning rate fit for fine-tuning."""

    def __init__(self, params: Iterable[nn.Parameter], lr: float = 5e-5, weight_decay: float = 0.01) -> None:
        if lr <= 0.0 or weight_decay < 0.0:
            raise ValueError(f"lr is {lr} and weight_decay {weight_decay}; expected above 0, and 0 or more")
        super().__init__(params, lr=lr, weight_decay=weight_decay, fused=True)
