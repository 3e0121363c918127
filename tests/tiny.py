"""A task and a data module small enough to train in milliseconds; for tests of everything around them."""

from collections.abc import Iterator
from pathlib import Path

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from transformers import PreTrainedConfig, PreTrainedModel

from slimlit.losses import HardLabels, Loss
from slimlit.models import Head, Network, Pretrained
from slimlit.tasks.base import MakeOptimizer, Task
from slimlit.tasks.optimizers import AdamW

ROWS = 22


class TinyNetwork(Network):
    """So many numbers between the two layers."""

    def __init__(self, width: int = 8) -> None:
        if width > 100:
            raise ValueError(f"width is {width}; expected 100 at most")
        self.width = width

    def config(self, head: Head, teacher: PreTrainedConfig | None = None) -> PreTrainedConfig:
        raise NotImplementedError

    def build(self, head: Head, teacher: PreTrainedModel | None = None) -> PreTrainedModel:
        raise NotImplementedError


class Tiny(Task):
    """Two classes of eight numbers, a linear student with dropout and nothing else."""

    monitor = "validation/accuracy"
    mode = "max"

    def __init__(
        self,
        student: Network,
        layers: list[int] | None = None,
        loss: Loss | None = None,
        optimizer: MakeOptimizer = AdamW,
    ) -> None:
        super().__init__(student, None, loss or HardLabels(), optimizer, 0.1)

    def setup(self, stage: str) -> None:
        pass

    def configure_model(self) -> None:
        if "student" not in self._modules:
            width = self.student_network.width if isinstance(self.student_network, TinyNetwork) else 8
            self.student = nn.Sequential(nn.Linear(8, width), nn.Dropout(0.5), nn.Linear(width, 2))  # type: ignore[assignment]
            if isinstance(self.student_network, Pretrained):
                saved = torch.load(Path(self.student_network.source) / "student" / "weights.pt")
                self.student.load_state_dict(saved)
            self.teacher = None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make_optimizer(self.student.parameters())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = nn.functional.cross_entropy(self.student(batch[0]), batch[1])
        self.log("train/loss", loss.detach())
        self.log("train/seen", batch[2].double().pow(2).sum())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        torch.rand(3)  # validation may draw as it likes
        correct = (self.student(batch[0]).argmax(1) == batch[1]).float().mean()
        self.log("validation/accuracy", correct, batch_size=len(batch[0]))

    def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("test/weight", self.student[0].weight.double().sum())

    def predict_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        return {"example_id": batch[2], "probabilities": self.student(batch[0]).softmax(1)}

    def export_student(self, folder: Path) -> None:
        folder.mkdir()
        torch.save(self.student.state_dict(), folder / "weights.pt")


class Batches:
    """Batches of an epoch in a seeded order, from the position where the trainer continues."""

    def __init__(self, data: "TinyData") -> None:
        self.data, self.epoch, self.start = data, 0, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-ROWS // self.data.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        trainer = self.data.trainer
        assert trainer is not None
        position = trainer.global_step % len(self)
        order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(trainer.global_step // len(self))).tolist()
        batches = [order[at : at + self.data.batch_size] for at in range(0, ROWS, self.data.batch_size)]
        yield from batches[position:]


class Loader(DataLoader):
    """Says to Lightning that it can resume."""

    def state_dict(self) -> dict[str, int]:
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        pass


class TinyData(LightningDataModule):
    """Twenty-two rows of noise with a planted answer."""

    def __init__(
        self, batch_size: int = 4, train: str | None = None, text_column: str = "text", predict: str | None = None
    ) -> None:
        super().__init__()
        self.batch_size, self.train, self.text_column = batch_size, train, text_column
        self.labels = ["bad", "good"]
        self.report = {"rows": ROWS}

    def setup(self, stage: str) -> None:
        if self.train is not None:
            columns = Path(self.train).read_text().splitlines()[0].split(",")
            if self.text_column not in columns:
                raise ValueError(f"no column {self.text_column!r} in {self.train}\nit has: {', '.join(columns)}")
        x = torch.randn(ROWS, 8, generator=torch.Generator().manual_seed(1))
        self.rows = TensorDataset(x, (x[:, 0] > 0).long(), torch.arange(ROWS))

    def train_dataloader(self) -> Loader:
        return Loader(self.rows, batch_sampler=Batches(self))  # type: ignore[arg-type]

    def val_dataloader(self) -> Loader:
        return Loader(self.rows, batch_size=11)

    test_dataloader = val_dataloader
    predict_dataloader = val_dataloader
