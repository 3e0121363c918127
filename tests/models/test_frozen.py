"""Frozen keeps an encoder as it is and reads each text once."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import seed_everything

from slimlit.callbacks import DifferentialPrivacy
from slimlit.models import Frozen, Head, Pretrained, SequenceClassifier
from slimlit.privacy.noise import add_noise
from slimlit.tasks import SequenceClassification
from tests.tasks.doubles import toy_data, toy_trainer

IDS = torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0], [2, 7, 8, 3]])
MASK = (IDS > 0).long()


def test_a_text_reads_as_the_encoder_reads_it_once_however_it_is_padded(toy_model: Path) -> None:
    student = Frozen(str(toy_model)).build(Head(["0", "1"])).train()
    assert isinstance(student, SequenceClassifier)
    assert not any(weight.requires_grad for weight in student.encoder.parameters())
    calls: list[int] = []
    remembering: Any = student.encoder.forward
    read = remembering.read

    def counted(**given: Any) -> Any:
        calls.append(len(given["input_ids"]))
        return read(**given)

    remembering.read = counted
    states = student.encoder(input_ids=IDS, attention_mask=MASK).last_hidden_state
    again = student.encoder(input_ids=IDS[1:2, :3], attention_mask=MASK[1:2, :3]).last_hidden_state
    assert calls == [2]
    plain = Pretrained(str(toy_model), "mean").build(Head(["0", "1"])).eval()
    assert isinstance(plain, SequenceClassifier)
    with torch.no_grad():
        expected = plain.encoder(input_ids=IDS, attention_mask=MASK).last_hidden_state
    assert torch.allclose(states[0], expected[0], atol=1e-6)
    assert torch.equal(states[0], states[2])
    assert torch.equal(states[1, :3], again[0])
    assert not states[1, 3].any()


class WithoutDropout(SequenceClassification):
    def configure_model(self) -> None:
        super().configure_model()
        for module in self.student.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0


class Noiseless(DifferentialPrivacy):
    """The noise is keyed by the sums, to the last bit of their rounding."""

    def noise(self, sums: dict[str, torch.Tensor], key: bytes) -> None:
        add_noise(sums, 0.0, key, divisor=self.expected)


def test_it_trains_as_with_freeze_and_under_privacy(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    def heads(student: Pretrained, **more: Any) -> list[torch.Tensor]:
        seed_everything(3)
        task = WithoutDropout(student, **more)
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        private = Noiseless(noise_multiplier=1.0, seed=1)
        trainer = toy_trainer(folder, callbacks=[private], max_steps=4)
        trainer.fit(task, datamodule=toy_data(toy_model, toy_files))
        return [weight.detach() for name, weight in task.student.named_parameters() if "encoder" not in name]

    for pooling in ("mean", "attention"):
        ours = heads(Frozen(str(toy_model), pooling))  # type: ignore[arg-type]
        theirs = heads(Pretrained(str(toy_model), pooling), freeze=["encoder"])  # type: ignore[arg-type]
        assert all(torch.allclose(one, two, atol=1e-5) for one, two in zip(ours, theirs, strict=True))
