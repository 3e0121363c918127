"""What ``predict`` writes of dialogues."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from slimlit.data import Dialogues
from slimlit.models import Pretrained
from slimlit.models.tokenizers import load_tokenizer
from slimlit.models.toy_chat import write_toy_chat_model
from slimlit.tasks import CausalLM
from tests.tasks.doubles import toy_trainer


@pytest.mark.filterwarnings("ignore:You are using a custom batch sampler")
def test_an_answer_ends_with_its_turn_whatever_ends_the_models_own_texts(tmp_path: Path) -> None:
    write_toy_chat_model(tmp_path / "model")
    for name in ("config.json", "generation_config.json"):  # a model that continues texts, and ends them otherwise
        settings = json.loads((tmp_path / "model" / name).read_text())
        (tmp_path / "model" / name).write_text(json.dumps({**settings, "eos_token_id": 0}))
    (tmp_path / "dialogues.jsonl").write_text(json.dumps({"turns": ["what colour is the snow?"]}) + "\n")
    data = Dialogues("nothing.jsonl", str(tmp_path / "model"), predict=str(tmp_path / "dialogues.jsonl"), max_length=64)
    task = CausalLM(Pretrained(str(tmp_path / "model")), generation={"max_new_tokens": 6})
    tokenizer = load_tokenizer(str(tmp_path / "model"))
    says = iter(tokenizer("a<|im_end|>b<|im_end|>b<|im_end|>", add_special_tokens=False).input_ids)

    def say(head: nn.Module, inputs: tuple[Tensor], logits: Tensor) -> Tensor:
        return nn.functional.one_hot(torch.tensor(next(says)), logits.shape[-1]).float().expand_as(logits)

    trainer = toy_trainer(tmp_path)
    task.trainer, trainer.datamodule = trainer, data  # type: ignore[attr-defined]
    data.setup("predict")
    task.setup("predict")
    task.configure_model()
    task.student.get_output_embeddings().register_forward_hook(say)  # type: ignore[union-attr]
    answers = trainer.predict(task, datamodule=data)
    assert answers is not None
    assert task.predictions(answers, data)[0]["continuation"] == "a"
