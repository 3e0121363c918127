"""A run's directory written by hand, with all that a page shows; no network was trained for it."""

import json
import struct
from pathlib import Path
from typing import Any

import yaml

from slimlit.explain.confusion import draw_confusion
from slimlit.runs import Run

LABELS = ["bad", "good"]


def write_run(folder: Path, teacher: str | None = None, private: bool = False) -> Run:
    """A classifier of two classes, tested, audited and explained."""
    run = Run(folder)
    for name, content in _reports(private).items():
        _write(run.reports / f"{name}.json", json.dumps(content))
    if not private:
        _write(
            run.reports / "test-worst.json", json.dumps({"examples": 9, "wrong": 3, "labels": LABELS, "worst": WORST})
        )
    _write(run.reports / "test-confusion.tsv", "label \\ student\tbad\tgood\nbad\t4\t1\ngood\t2\t2\n")
    import numpy as np

    _write(run.reports / "audit.svg", draw_confusion(np.eye(2, dtype=np.int64), LABELS, "attacks"))
    _write(run.config, yaml.safe_dump(_config(run, teacher, private)))
    _write(run.metrics, METRICS)
    _write(run.ledger, json.dumps(_ledger(run.name, 3.2 if private else None)))
    _write(
        run.student / "config.json",
        json.dumps({"architectures": ["BertModel"], "num_hidden_layers": 2, "hidden_size": 8}),
    )
    _write(
        run.student / "PRIVACY.md",
        "# Privacy\n\n## train texts\n\n**No guarantee**: trained <plainly>.\n\n- training\n",
    )
    head = json.dumps({"a": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}}).encode()
    (run.student / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + bytes(48))
    return run


WORST: list[dict[str, Any]] = [
    {
        "example_id": 4,
        "text": "so <b>bad</b> it is good",
        "label": "bad",
        "predicted": "good",
        "probability": 0.98,
        "teacher": "good",
    },
    {
        "example_id": 7,
        "text": "这 部 电 影 不 好",
        "label": "good",
        "predicted": "bad",
        "probability": 0.91,
        "teacher": None,
    },
    {"example_id": 2, "text": "fine", "label": "good", "predicted": "bad", "probability": 0.6, "teacher": "good"},
]
METRICS = (
    "epoch,step,train/loss,train/loss_hard,train/loss_soft,train/lr,validation/loss,validation/accuracy,attention/spread\n"
    "0,9,120.0,1.5,0.5,0.001,,,\n0,10,,,,,0.8,0.61,0.5\n1,19,0.5,0.6,0.4,nan,,,\n1,20,,,,,0.7,0.72,0.4\n"
)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _reports(private: bool) -> dict[str, Any]:
    def split(name: str, examples: int) -> dict[str, Any]:
        counts = {"source": f"{name}.csv", "rows": examples + 1, "empty rows left out": 1, "first broken rows": []}
        return {f"{name} file": counts, name: {"examples": examples, "tokens": 61_234, "labels": {"bad": 5, "good": 4}}}

    passed = {"planted truth": True, "removal": False, "weights": None}
    interval = {"mean": 0.9, "low": 0.8, "high": 1.0}
    grade = {
        "planted": {"one word": interval},
        "removal": {"gain": interval},
        "weights": {},
        "milliseconds": 3.5,
        "passed": passed,
    }
    facts = {"texts": 90, "compared": 24, "noises": 3, "seed": 0}
    exam = {"grades": {"input-gradient": grade}, "default_share": 0.25, "facts": facts}
    times = {"batch 1, 32 tokens, 1 thread": {"ms": 3.25, "cpu ms": 3.2}}
    rival = {"precision": "fp32", "num_bytes": 70_000, "peak MiB": 12.5, "accuracy": 0.8, "times": times}
    bench = {"processor": "a cpu", "contestants": [{"name": name, **rival} for name in ("teacher", "student")]}
    card = {
        "name": "onnx-int8",
        "bytes": 30_000,
        "measures": {"label flips": 1, "places": 9, "least cosine": 0.999},
        "faults": ["flips"],
    }
    card |= {"metric": {"name": "accuracy", "network": 0.8, "exported": 0.79}, "latency": {"export": {"ms": 1.5}}}
    parts = {
        "before": {"parameters": 200, "layers": {"width": 8}},
        "after": {"parameters": 100, "layers": {"width": 4}},
    }
    over = {
        "history": [{"step": 20, "comprehensiveness": interval, "rank_correlation": interval}],
        "method": "input-gradient",
    }
    words = [{"text": "[CLS]", "is_special": True}, {"text": "so"}, {"text": "fine"}]
    answer = {"is_default": False, "maps": [{"method": "input-gradient", "heat": [0, -0.2, 0.8], "grade": "A"}]}
    reasons = {
        "examples": [
            {"name": "test example 2", "words": words, "answers": [{**answer, "teacher": {"correlations": [0.5]}}]}
        ]
    }
    audit = {
        "claimed epsilon": 3.2 if private else None,
        "attacks": {"loss": {"members": 40, "auc": 0.61, "auc interval": [0.55, 0.67], "advantage": 0.1}},
        "epsilon is at least": {"epsilon": 0.4},
        "the claim is refuted": False,
        "notes": [],
    }
    bins = [{"low": 0.6, "high": 2 / 3, "examples": 4, "confidence": 0.64, "accuracy": 0.5}]
    return {
        "data": {
            **split("train", 90),
            **split("validation", 9),
            "texts of validation or test that are in train too": 0,
        },
        "data-test": split("test", 9),
        "test": {"test/accuracy": 0.8, "test/loss": 0.6},
        "test-calibration": {"expected calibration error": 0.14, "bins": bins},
        "audit": audit,
        "bench": bench,
        "export-onnx-int8": card,
        "compress": {**parts, "of": "runs/big"},
        "explanations": over,
        **({} if private else {"exam": exam, "explain-errors": reasons}),
    }


def _config(run: Run, teacher: str | None, private: bool) -> dict[str, Any]:
    callbacks = (
        [{"class_path": "slimlit.callbacks.DifferentialPrivacy", "init_args": {"epsilon": 4}}] if private else None
    )
    student = {"class_path": "slimlit.models.Shrunk", "init_args": {"layers": [1, 2]}}
    loss = {
        "losses": {
            "hard": {"class_path": "x.HardLabels"},
            "soft": {"class_path": "x.SoftTargets", "init_args": {"temperature": 2}},
        }
    }
    model: dict[str, Any] = {
        "student": student,
        "loss": {"class_path": "x.WeightedSum", "init_args": {**loss, "weights": {"hard": 0.1}}},
    }
    if teacher is not None:
        model["teacher"] = {"class_path": "slimlit.models.Pretrained", "init_args": {"source": teacher}}
    return {
        "seed_everything": 0,
        "trainer": {"callbacks": callbacks, "max_epochs": 2, "precision": "bf16-mixed"},
        "model": {"class_path": "slimlit.tasks.SequenceClassification", "init_args": model},
        "data": {"class_path": "slimlit.data.TextClassification", "init_args": {"batch_size": 8}},
        "run": run.name,
    }


def _ledger(run: str, epsilon: float | None) -> dict[str, Any]:
    data = {
        "source": "train.csv",
        "split": "train",
        "num_units": 90,
        "unit": "example",
        "epsilon": epsilon,
        "delta": 1e-3,
    }
    stage = {
        "run": run,
        "kind": "training",
        "data": "x",
        "steps": None if epsilon is None else [{}],
        "why": "trained without noise",
    }
    return {"data": [{**data, "stages": [f"training of {run}"]}], "stages": [stage], "notes": ["What minilm saw."]}
