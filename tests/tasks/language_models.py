"""Small runs of language models: text, networks, tasks and a trainer."""

from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer, seed_everything

from slimlit.data import LanguageModelling, Masking
from slimlit.losses import Loss
from slimlit.models import Fresh, Network
from slimlit.tasks import CausalLM, MaskedLM
from slimlit.tasks.optimizers import AdamW
from tests.tasks.doubles import toy_trainer

_SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
SETTINGS: dict[str, dict[str, Any]] = {
    "llama": {**_SMALL, "max_position_embeddings": 64, "tie_word_embeddings": True},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64},
    "bert": {**_SMALL, "max_position_embeddings": 64},
}


def fresh(name: str, tokenizer: Path) -> Fresh:
    return Fresh(name, str(tokenizer), SETTINGS[name])


def text_data(text: Path, tokenizer: Path, masked: bool = False, **settings: Any) -> LanguageModelling:
    masking = Masking() if masked else None
    basic = {"max_length": 48, "batch_size": 8, "masking": masking, "split": (0.15, 0.15)}
    return LanguageModelling(str(text), str(tokenizer), **{**basic, **settings})


def make(
    student: Network, teacher: Network | None = None, loss: Loss | None = None, masked: bool = False, lr: float = 1e-2
) -> CausalLM | MaskedLM:
    kind = MaskedLM if masked else CausalLM
    return kind(student, teacher, loss, optimizer=partial(AdamW, lr=lr))


def fit(task: CausalLM | MaskedLM, data: LanguageModelling, folder: Path, **settings: Any) -> Trainer:
    seed_everything(1)
    trainer = toy_trainer(folder, **settings)
    trainer.fit(task, datamodule=data)
    return trainer
