"""What is run: three data sets, a public teacher and student for each, and students at four epsilons with three seeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path("experiments/privacy/accuracy")
EPSILONS = (1.0, 3.0, 8.0, None)
KINDS = ("without", "with")
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class DataSet:
    """A private data set, the public text of its kind, and the encoder both are read with."""

    name: str
    title: str
    folder: str
    encoder: str
    layers: tuple[int, ...]
    public: str
    zipped: bool = False
    has_public_labels: bool = True
    ordinary_epochs: int = 2

    def files(self, shared: Path) -> list[str]:
        """Options that name the private texts."""
        ending = ".tsv.gz" if self.zipped else ".tsv"
        place = shared / self.folder
        return [f"--data.train={place}/train.tsv.gz", *self.held_out(shared), f"--data.validation={place}/dev{ending}"]

    def precision(self) -> list[str]:
        """Float32 for ELECTRA, whose projected embeddings torch's LayerNorm does not take in bfloat16 on a CPU."""
        return ["--trainer.precision=32-true"] if self.zipped else []

    def held_out(self, shared: Path) -> list[str]:
        """The option that names the test texts."""
        return [f"--data.test={shared / self.folder}/test{'.tsv.gz' if self.zipped else '.tsv'}"]


def data_sets(shared: Path) -> list[DataSet]:
    """The three, smallest first."""
    electra = str(shared / "weights" / "ltp_tiny_zh_electra")
    return [
        DataSet("sst2", "SST-2", "sst2", "minilm", (1, 2, 3), "films"),
        DataSet("ag", "AG News", "ag_news", "minilm", (1, 2, 3), "news", has_public_labels=False),
        DataSet("zh", "Chinese shopping", "zh_online_shopping", electra, (1, 2), "reviews", True, ordinary_epochs=1),
    ]


@dataclass(frozen=True)
class Job:
    """One run: its name, and the options of ``fit`` beside it."""

    name: str
    options: list[str]
    is_private: bool = False


def public_jobs(data: DataSet, runs: Path, shared: Path) -> list[Job]:
    """The public teacher, where there are public labels, and the student that learns from it on public text."""
    text = [f"--data.train={runs}/text/{data.public}.tsv", f"--data.tokenizer={data.encoder}", *data.held_out(shared)]
    base = ["--config", str(HERE / "public.yaml"), *text, *data.precision()]
    pretrained = "--model.teacher=slimlit.models.Pretrained"
    layers = f"--model.student.layers={list(data.layers)}"
    depth = 3 if data.zipped else 6
    hidden = f"{{class_path: slimlit.losses.HiddenStates, init_args: {{pairs: [[{len(data.layers)}, {depth}]]}}}}"
    if not data.has_public_labels:
        return [
            Job(
                f"{data.name}-public-student",
                [
                    *base,
                    pretrained,
                    f"--model.teacher.source={runs}/encoders/{data.name}-teacher",
                    layers,
                    f"--model.loss={hidden}",
                ],
            )
        ]
    whole = ["--model.student=slimlit.models.Pretrained", f"--model.student.source={data.encoder}"]
    soft = "{class_path: slimlit.losses.SoftTargets, init_args: {temperature: 2.0}}"
    both = f"{{losses: {{soft: {soft}, hidden: {hidden}}}, weights: {{hidden: 0.1}}}}"
    return [
        Job(
            f"{data.name}-public-teacher", [*base, *whole, "--model.student.pooling=mean", "--model.optimizer.lr=1e-4"]
        ),
        Job(
            f"{data.name}-public-student",
            [
                *base,
                pretrained,
                f"--model.teacher.source={runs}/{data.name}-public-teacher",
                layers,
                f"--model.loss={{class_path: slimlit.losses.WeightedSum, init_args: {both}}}",
                "--trainer.callbacks=[{class_path: slimlit.callbacks.TeacherCache}]",
            ],
        ),
    ]


def ordinary_job(data: DataSet, seed: int, runs: Path, shared: Path) -> Job:
    """The student as anyone would train it who need not keep the texts private: all of it, on all texts."""
    options = [
        "--config",
        str(HERE / "public.yaml"),
        *data.files(shared),
        f"--data.tokenizer={data.encoder}",
        *data.precision(),
    ]
    options += [
        f"--model.student.of={runs}/encoders/{data.name}-with",
        f"--model.student.layers={list(range(1, len(data.layers) + 1))}",
    ]
    options += [f"--trainer.max_epochs={data.ordinary_epochs}", f"--seed_everything={seed}", f"--data.seed={seed}"]
    return Job(f"{data.name}-ordinary-{seed}", options)


def student_jobs(data: DataSet, runs: Path, shared: Path) -> Iterator[Job]:
    """The table's runs: a head on the encoder as it came or as the public teacher made it, at each epsilon and seed."""
    for seed in SEEDS:
        for epsilon in (3.0, None, 1.0, 8.0):
            for kind in KINDS:
                encoder = f"{runs}/encoders/{data.name}-{kind}"
                options = ["--config", str(HERE / "student.yaml")]
                if epsilon is not None:
                    options += ["--config", str(HERE / f"epsilon_{epsilon:g}.yaml")]
                options += [*data.files(shared), f"--model.student.source={encoder}", f"--data.tokenizer={encoder}"]
                options += [*data.precision(), f"--seed_everything={seed}", f"--data.seed={seed}"]
                yield Job(name_of(data.name, kind, epsilon, seed), options, epsilon is not None)


def name_of(data: str, kind: str, epsilon: float | None, seed: int) -> str:
    """The name of a run of the table."""
    return f"{data}-{kind}-{'none' if epsilon is None else f'{epsilon:g}'}-{seed}"
