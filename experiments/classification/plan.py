"""What is run: six data sets; for each, and each seed, a teacher, and students of some of its layers by three losses."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HARD = "hard: {class_path: slimlit.losses.HardLabels}"
SOFT = "soft: {class_path: slimlit.losses.SoftTargets, init_args: {temperature: 2.0}}"
LOSSES = {
    "distilled": f"{{losses: {{{HARD}, {SOFT}}}, weights: {{hard: 0.1, soft: 0.9}}}}",
    "soft alone": f"{{losses: {{{SOFT}}}}}",
    "hard alone": f"{{losses: {{{HARD}}}}}",
}


@dataclass(frozen=True)
class DataSet:
    """A data set, the encoder its teacher is made of, and how long both learn."""

    name: str
    title: str
    train: str
    validation: str | None
    test: str
    chinese: bool = False
    max_length: int = 64
    teacher_epochs: int = 2
    student_epochs: int = 4
    teacher_rate: float = 1e-4
    student_rate: float = 2e-4

    @property
    def layers(self) -> list[int]:
        """Of the teacher's, the first half: three of six, or of the Chinese three the first."""
        return [1] if self.chinese else [1, 2, 3]

    def encoder(self, shared: Path) -> str:
        """The pretrained encoder."""
        return str(shared / "weights" / "ltp_tiny_zh_electra") if self.chinese else "minilm"

    def options(self, shared: Path) -> list[str]:
        """Options of ``fit`` that both teacher and student have."""
        found = [
            "--data=slimlit.data.TextClassification",
            f"--data.train={shared / self.train}",
            f"--data.test={shared / self.test}",
            f"--data.tokenizer={self.encoder(shared)}",
            f"--data.max_length={self.max_length}",
            "--data.batch_size=32",
            f"--trainer.precision={'32-true' if self.chinese else 'bf16-mixed'}",
            "--wandb=disabled",
        ]
        return found if self.validation is None else [*found, f"--data.validation={shared / self.validation}"]


DATA_SETS = [
    DataSet("sst2", "SST-2", "sst2/train.tsv.gz", "sst2/dev.tsv", "sst2/test.tsv"),
    DataSet("banking77", "BANKING77", "banking77/train.tsv.gz", None, "banking77/test.tsv",
            max_length=48, teacher_epochs=5, student_epochs=6, teacher_rate=2e-4, student_rate=3e-4),
    DataSet("hotel", "ChnSentiCorp hotels", "zh_chnsenticorp_hotel/train.tsv.gz", "zh_chnsenticorp_hotel/dev.tsv",
            "zh_chnsenticorp_hotel/test.tsv", True, 128, 3, 4, 3e-4, 4e-4),
    DataSet("ag", "AG News (7,600 texts)", "ag_news/train.tsv.gz", "ag_news/dev.tsv", "ag_news/test.tsv"),
    DataSet("clinc150", "CLINC150", "clinc150/train.tsv.gz", "clinc150/val.tsv", "clinc150/test.tsv",
            max_length=32, teacher_epochs=4, student_epochs=5, teacher_rate=2e-4, student_rate=3e-4),
    DataSet("shopping", "Chinese shopping", "zh_online_shopping/train.tsv.gz", "zh_online_shopping/dev.tsv.gz",
            "zh_online_shopping/test.tsv.gz", True, 64, 1, 2, 3e-4, 4e-4),
]  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One run: its name, data set and kind, and the options of ``fit``."""

    name: str
    data: DataSet
    kind: str
    seed: int
    options: list[str]


def jobs(runs: Path, shared: Path, sets: list[str], seed: int) -> Iterator[Job]:
    """The runs of some data sets and one seed, each teacher before its students."""
    for data in (one for one in DATA_SETS if one.name in sets):
        end = f"-seed{seed}" if seed else ""
        teacher = f"{data.name}-teacher{end}"
        seen = [f"--seed_everything={seed}"]
        seen += ["--model=slimlit.tasks.SequenceClassification", "--model.train_words=seen"]
        recipe = "{class_path: slimlit.tasks.optimizers.AdamW, init_args: {lr: %g}}"
        yield Job(teacher, data, "teacher", seed, [
            *seen, *data.options(shared), "--model.student=slimlit.models.Pretrained",
            f"--model.student.source={data.encoder(shared)}", "--model.student.pooling=mean",
            f"--model.optimizer={recipe % data.teacher_rate}", f"--trainer.max_epochs={data.teacher_epochs}",
        ])  # fmt: skip
        for kind, loss in LOSSES.items():
            yield Job(f"{data.name}-{kind.replace(' ', '-')}{end}", data, kind, seed, [
                *seen, *data.options(shared),
                "--model.teacher=slimlit.models.Pretrained", f"--model.teacher.source={runs / teacher}",
                "--model.student=slimlit.models.Shrunk", f"--model.student.layers={data.layers}",
                "--model.student.pooling=attention",
                f"--model.loss={{class_path: slimlit.losses.WeightedSum, init_args: {loss}}}",
                f"--model.optimizer={recipe % data.student_rate}", f"--trainer.max_epochs={data.student_epochs}",
                "--trainer.callbacks=[{class_path: slimlit.callbacks.TeacherCache}]",
            ])  # fmt: skip
