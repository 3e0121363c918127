"""What is run: students of one teacher that differ in their loss or in privacy, and finished ones to look at beside them."""

from dataclasses import dataclass
from pathlib import Path

SOFT = "soft: {class_path: slimlit.losses.SoftTargets, init_args: {temperature: 2.0}}"
SHARES = "shares: {class_path: slimlit.losses.TokenShares}"
POOLING = "pooling: {class_path: slimlit.losses.PoolingWeights}"
PRIVATE = "{class_path: slimlit.callbacks.DifferentialPrivacy, init_args: {epsilon: 8.0}}"
CACHE = "{class_path: slimlit.callbacks.TeacherCache}"


@dataclass(frozen=True)
class Arm:
    """A student: its loss, whose student it is, and what else differs.

    Args:
        name: of the run.
        title: in the table.
        loss: parts and weights, in YAML. A weight makes its part as large as the soft targets in the first step, by the first
            64 validation texts.
        teacher: of the experiment ``classification``, or of this one.
        callbacks: beside the teacher's cache.
        options: further ones of ``fit``.
    """

    name: str
    title: str
    loss: str
    teacher: str = "sst2-teacher"
    callbacks: str = CACHE
    options: tuple[str, ...] = ()


TEACHER = "sst2-attention-teacher"  # the same as sst2-teacher, but that it pools by attention
ARMS = [
    Arm("sst2-soft", "teacher's answers", f"{{losses: {{{SOFT}}}}}"),
    Arm("sst2-shares", "teacher's answers and shares", f"{{losses: {{{SOFT}, {SHARES}}}, weights: {{shares: 0.25}}}}"),
    Arm("sst2-private", "teacher's answers, epsilon 8, 1 epoch", f"{{losses: {{{SOFT}}}}}", callbacks=f"{CACHE}, {PRIVATE}",
        options=("--trainer.max_epochs=1", "--data.batch_size=256", "--checkpoint.monitor=null", "--model.train_words=all",
                 "--model.optimizer={class_path: slimlit.tasks.optimizers.AdamW, init_args: {lr: 0.0005}}")),
    Arm("sst2-soft-of-attention", "second teacher's answers", f"{{losses: {{{SOFT}}}}}", TEACHER),
    Arm("sst2-pooling", "second teacher's answers and pooling", f"{{losses: {{{SOFT}, {POOLING}}}, weights: {{pooling: 1.0}}}}", TEACHER),
]  # fmt: skip
FINISHED = {  # of the experiment ``classification``: four epochs
    "sst2-soft-alone": "teacher's answers, 4 epochs",
    "sst2-distilled": "labels and answers, 4 epochs",
    "sst2-hard-alone": "labels alone, 4 epochs",
}


def data_options(shared: Path) -> list[str]:
    """The data, as all have it."""
    sst2 = shared / "sst2"
    return [
        "--data=slimlit.data.TextClassification",
        f"--data.train={sst2 / 'train.tsv.gz'}",
        f"--data.validation={sst2 / 'dev.tsv'}",
        f"--data.test={sst2 / 'test.tsv'}",
        "--data.tokenizer=minilm",
        "--data.max_length=64",
        "--data.batch_size=32",
        "--trainer.precision=bf16-mixed",
        "--trainer.accelerator=cpu",
        "--wandb=disabled",
        "--trainer.max_epochs=2",
        "--model=slimlit.tasks.SequenceClassification",
        "--model.train_words=seen",
    ]


def teacher_options(shared: Path) -> list[str]:
    """Options of ``fit`` that make :data:`TEACHER`, as the experiment ``classification`` made ``sst2-teacher``."""
    return [
        *data_options(shared),
        "--model.student=slimlit.models.Pretrained",
        "--model.student.source=minilm",
        "--model.student.pooling=attention",
        "--model.optimizer={class_path: slimlit.tasks.optimizers.AdamW, init_args: {lr: 1e-4}}",
    ]


def arm_options(arm: Arm, teacher: Path, shared: Path) -> list[str]:
    """Options of ``fit`` of a student."""
    return [
        *data_options(shared),
        "--model.teacher=slimlit.models.Pretrained",
        f"--model.teacher.source={teacher}",
        "--model.student=slimlit.models.Shrunk",
        "--model.student.layers=[1, 2, 3]",
        "--model.student.pooling=attention",
        f"--model.loss={{class_path: slimlit.losses.WeightedSum, init_args: {arm.loss}}}",
        "--model.optimizer={class_path: slimlit.tasks.optimizers.AdamW, init_args: {lr: 2e-4}}",
        f"--trainer.callbacks=[{arm.callbacks}]",
        *arm.options,
    ]
