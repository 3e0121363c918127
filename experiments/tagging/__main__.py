"""A tagger and its students of half the layers: ``python -m experiments.tagging --shared ../shared/data``."""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from experiments.repeats import device, mean
from slimlit.__main__ import main as slimlit

HERE = Path(__file__).parent
LOSSES: dict[str, dict[str, Any]] = {
    "hard": {"class_path": "slimlit.losses.HardLabels"},
    "soft": {"class_path": "slimlit.losses.SoftTargets", "init_args": {"temperature": 2.0}},
    "hidden": {"class_path": "slimlit.losses.HiddenStates"},
}
WEIGHTS = {"hard": 0.1, "soft": 0.9, "hidden": 0.1}
STUDENTS = {
    "all": ["hard", "soft", "hidden"],
    "without hidden": ["hard", "soft"],
    "without soft": ["hard", "hidden"],
    "without hard": ["soft", "hidden"],
    "plain": ["hard"],
}
# name: folder, encoder, its layers that the student keeps, [student, teacher] layers that are compared, longest sentence
SETS: dict[str, tuple[str, str, list[int], list[list[int]], int]] = {
    "SNIPS": ("snips_slots", "minilm", [1, 3, 5], [[1, 2], [2, 4], [3, 6]], 64),
    "CoNLL-2003": ("conll2003_en", "minilm", [1, 3, 5], [[1, 2], [2, 4], [3, 6]], 128),
    "MSRA": ("zh_msra_ner", "weights/ltp_tiny_zh_electra", [1, 3], [[1, 1], [2, 3]], 128),
}


def main() -> None:
    """Train what is not trained yet, score it, and write ``results.json`` and the table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.tagging", description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--runs", type=Path, default=Path("runs/tagging"), help="folder of the runs")
    parser.add_argument("--sets", nargs="+", default=["SNIPS"], choices=list(SETS))
    parser.add_argument("--students", nargs="*", default=list(STUDENTS), choices=list(STUDENTS))
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--no_speed", action="store_true", help="do not measure words a second: others are at work")
    asked = parser.parse_args()
    file = HERE / "results.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    for name in asked.sets:
        for student in [None, *asked.students]:
            for seed in asked.seeds:
                found = results.setdefault(name, {}).setdefault(student or "teacher", {})
                found[f"{seed} on {device()}"] = run(name, student, seed, asked)
                file.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


def run(name: str, student: str | None, seed: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Fit, test and predict one model, where that is not done yet; its numbers."""
    folder, encoder, layers, pairs, max_length = SETS[name]
    source = encoder if "/" not in encoder else str((asked.shared / encoder).resolve())
    end = f"-seed{seed}" if seed else ""
    short = f"{folder}-{(student or 'teacher').replace(' ', '-')}{end}"
    place = asked.runs / short
    if not (place / "student").exists():
        asked.runs.mkdir(parents=True, exist_ok=True)
        config = asked.runs / f"{short}.yaml"
        model = (
            teacher(source)
            if student is None
            else distilled(asked.runs / f"{folder}-teacher{end}", student, layers, pairs)
        )
        data = sources(asked.shared / folder) | {"tokenizer": source, "max_length": max_length, "batch_size": 32}
        callbacks = [{"class_path": "slimlit.callbacks.EntityReport"}]
        if student is not None and len(STUDENTS[student]) > 1:
            callbacks.append({"class_path": "slimlit.callbacks.TeacherCache"})
        trainer = {"max_epochs": asked.epochs, "precision": "bf16-mixed", "callbacks": callbacks}
        trainer["enable_progress_bar"] = False
        whole = {
            "seed_everything": seed,
            "model": model,
            "data": {"class_path": "slimlit.data.Tagging", "init_args": data},
            "trainer": trainer,
        }
        config.write_text(yaml.safe_dump(whole))
        call("fit", "--config", str(config), "--run", short, "--runs", str(asked.runs), "--wandb", "disabled")
    if not (place / "reports" / "test.json").exists():
        call("test", "--run", short, "--runs", str(asked.runs), "--wandb", "disabled")
    predicted = place / "predictions.jsonl"
    if not predicted.exists():
        test = sources(asked.shared / folder)["test"]
        call("predict", "--run", short, "--runs", str(asked.runs), "--data.predict", test, "--wandb", "disabled")
    test = sources(asked.shared / folder)["test"]
    return {**numbers(place, test), **({} if asked.no_speed else speed(place, test))}


def teacher(source: str) -> dict[str, Any]:
    """The task of the teacher."""
    student = {"class_path": "slimlit.models.Pretrained", "init_args": {"source": source}}
    return task({"student": student}, 2e-4)


def distilled(source: Path, student: str, layers: list[int], pairs: list[list[int]]) -> dict[str, Any]:
    """The task of a student: half of the fine-tuned teacher's layers, and some of the losses."""
    shrunk: dict[str, Any] = {"class_path": "slimlit.models.Shrunk", "init_args": {"layers": layers}}
    parts = {part: dict(LOSSES[part]) for part in STUDENTS[student]}
    if "hidden" in parts:
        parts["hidden"]["init_args"] = {"pairs": pairs}
    if student == "plain":  # the same start
        shrunk["init_args"]["of"] = str(source)
        return task({"student": shrunk}, 3e-4)
    weights = {part: WEIGHTS[part] for part in parts}
    loss = {"class_path": "slimlit.losses.WeightedSum", "init_args": {"losses": parts, "weights": weights}}
    guide = {"class_path": "slimlit.models.Pretrained", "init_args": {"source": str(source)}}
    return task({"student": shrunk, "teacher": guide, "loss": loss}, 3e-4)


def task(settings: dict[str, Any], lr: float) -> dict[str, Any]:
    """A TokenClassification with these settings."""
    optimizer = {"class_path": "slimlit.tasks.optimizers.AdamW", "init_args": {"lr": lr}}
    arguments = {**settings, "train_words": "seen", "optimizer": optimizer}
    return {"class_path": "slimlit.tasks.TokenClassification", "init_args": arguments}


def sources(folder: Path) -> dict[str, str]:
    """The files of a data set."""
    found = {}
    for split, stem in (("train", "train"), ("validation", "dev"), ("test", "test")):
        found[split] = str(next(folder.resolve().glob(f"{stem}.jsonl*")))
    return found


def call(*arguments: str) -> None:
    """One verb of slimlit."""
    print(f"$ python -m slimlit {' '.join(arguments)}", flush=True)
    if slimlit(list(arguments)):
        sys.exit(1)


def numbers(place: Path, test: str) -> dict[str, Any]:
    """F1 of the run, ours and seqeval's on the exported predictions, its size and its speed."""
    from seqeval.metrics import f1_score  # type: ignore[import-untyped]

    from slimlit.data.sentences import TagColumns, read_sentences
    from slimlit.text.bio import to_bio
    from slimlit.text.spans import span_scores

    gold = to_bio(read_sentences(test, TagColumns()).tags)[0]
    said = [json.loads(line)["tags"] for line in (place / "predictions.jsonl").read_text().splitlines()]
    scores = span_scores(gold, said)
    theirs = [float(f1_score(gold, said, average=average)) for average in ("micro", "macro")]
    assert abs(theirs[0] - scores.micro.f1) < 1e-12
    assert abs(theirs[1] - scores.macro.f1) < 1e-12
    tested = json.loads((place / "reports" / "test.json").read_text())
    assert abs(tested["test/f1"] - scores.micro.f1) < 0.005  # batches of another precision and padding
    sizes = {name: weights.numel() for name, weights in student_of(place).named_parameters()}
    words = sum(size for name, size in sizes.items() if "word_embeddings" in name)
    return {
        "f1": scores.micro.f1,
        "macro_f1": scores.macro.f1,
        "seqeval": theirs,
        "test": tested,
        "parameters": sum(sizes.values()),
        "without_words": sum(sizes.values()) - words,
    }


def student_of(place: Path) -> Any:
    """The network of a run."""
    from slimlit.models import Head, Pretrained

    return Pretrained(str(place / "student")).build(Head(labels(place), "token_classification")).eval()


def speed(place: Path, test: str) -> dict[str, Any]:
    """Sub-words a CPU second over the test sentences, one thread, float32."""
    import torch

    from slimlit.data import Tagging
    from slimlit.models import read

    torch.set_num_threads(1)
    data = Tagging(test, str(place), predict=test, labels=["O", "B-X", "I-X"], max_length=128)
    data.setup("predict")
    network, seconds = student_of(place), []
    with torch.no_grad():
        for _ in range(3):
            began = time.process_time()
            for batch in data.batches("predict", 32):
                read(network, batch)
            seconds.append(time.process_time() - began)
    return {"tokens_per_cpu_second": int(data.splits["predict"].lengths.sum()) / min(seconds)}


def labels(place: Path) -> list[str]:
    """The tags a student knows, in order."""
    names: dict[str, str] = json.loads((place / "student" / "config.json").read_text())["id2label"]
    return [names[str(number)] for number in range(len(names))]


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table: means over seeds, and their standard deviation."""
    lines = [
        "| data | model | F1 | macro F1 | share of the teacher's F1 | parameters (without words) | tokens / CPU s |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for name, runs in results.items():
        best = list(runs["teacher"].values())
        for model, seeds in runs.items():
            ones = list(seeds.values())
            share = 100 * statistics.mean(one["f1"] for one in ones) / statistics.mean(one["f1"] for one in best)
            sizes = f"{ones[0]['parameters'] / 1e6:.1f} M ({ones[0]['without_words'] / 1e6:.2f} M, "
            sizes += f"{ones[0]['without_words'] / best[0]['without_words']:.2f})"
            scores = " | ".join(mean([one[key] for one in ones]) for key in ("f1", "macro_f1"))
            speeds = [one["tokens_per_cpu_second"] for one in ones if "tokens_per_cpu_second" in one]
            fast = f"{statistics.mean(speeds):,.0f}" if speeds else ""
            lines.append(f"| {name} | {model} | {scores} | {share:.1f} % | {sizes} | {fast} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
