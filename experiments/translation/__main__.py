"""Train a translator, distil it word by word, by sequences, and both ways, and compress it: ``python -m experiments.translation --data FOLDER``."""

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from experiments.translation.vocabulary import train_vocabulary

HERE = Path(__file__).parents[2] / "configs"
SMALL = "words-small"
FIXED = {
    **{"encoder_attention_heads": 4, "decoder_attention_heads": 4},
    **{"max_position_embeddings": 128, "scale_embedding": True},
}


def main() -> None:
    """Run what has not been run yet; write ``results.json`` and the sacrebleu command's own BLEU beside it."""
    parser = argparse.ArgumentParser(prog="python -m experiments.translation")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of multi30k: train.tsv.gz, dev.tsv, test2016.tsv"
    )
    parser.add_argument("--folder", type=Path, default=Path("translation"), help="where runs and results go")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--student_epochs", type=int, default=10)
    parser.add_argument("--layers", type=int, default=2, help="of the teacher's encoder, and of its decoder")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--at_once", type=int, default=1, help="students that learn side by side")
    asked = parser.parse_args()
    folder: Path = asked.folder
    folder.mkdir(parents=True, exist_ok=True)
    train = str(asked.data / "train.tsv.gz")
    if not (folder / "vocabulary").is_dir():
        train_vocabulary(train, str(folder / "vocabulary"))
    data = ["--data.validation", asked.data / "dev.tsv", "--data.test", asked.data / "test2016.tsv"]
    data += ["--data.source_column", "en", "--data.target_column", "de", "--data.batch_size", 128]
    common = [*data, "--model.optimizer.lr", asked.lr, "--model.num_written", 0]
    common += ["--trainer.enable_progress_bar", "false", "--wandb", "disabled"]
    vocabulary = ["--data.tokenizer", folder / "vocabulary", "--model.student.tokenizer", folder / "vocabulary"]
    widths = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in (("layers", asked.layers), ("ffn_dim", 4 * asked.width))
    }
    settings = json.dumps({**FIXED, **widths, "d_model": asked.width, "dropout": asked.dropout})
    teacher = ["--trainer.max_epochs", asked.epochs, "--data.train", train, *vocabulary]
    fit(folder, "teacher", "translation", [*common, *teacher, "--model.student.settings", settings])
    written = folder / "teacher.jsonl"
    common += ["--trainer.max_epochs", asked.student_epochs]
    half = ["--model.teacher.source", folder / "teacher", "--data.tokenizer", folder / "teacher"]
    half += ["--model.student.layers", "[1]", "--model.student.decoder_layers", "[1]"]
    labels = ["--model.loss", "slimlit.losses.VocabularyLabels"]
    reference, sequences = ["--data.train", train], ["--data.train", written, "--data.learn_column", "prediction"]
    students: dict[str, list[Any]] = {
        "plain": [*reference, *labels], "words": reference, "sequences": [*sequences, *labels], "both": sequences,
    }  # fmt: skip
    with ThreadPoolExecutor(asked.at_once) as threads, ThreadPoolExecutor(1) as writer:
        writing = writer.submit(write, folder, train, written)
        if asked.at_once == 1:
            writing.result()

        def learn(name: str) -> None:
            """Fit one student, the written sequences being there where it learns from them."""
            if written in students[name]:
                writing.result()
            fit(folder, name, "distil_translation", [*common, *half, *students[name]])

        list(threads.map(learn, students))
        shrink(folder)
        names = ["teacher", *students, SMALL]
        found = threads.map(lambda name: score(folder, name, asked.data / "test2016.tsv"), names)
        results = dict(zip(names, found, strict=True))
    for name, found in results.items():
        found["share kept"] = found["test/bleu"] / results["teacher"]["test/bleu"]
        print(name, json.dumps(found))
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")


def shrink(folder: Path) -> None:
    """Make the student of the teacher's words narrower, unless that is done: 0.4 of its teacher."""
    if not (folder / SMALL / "student").is_dir():
        asked = ["--feed_forward", 0.3, "--epochs", 3, "--teacher", folder / "teacher"]
        slimlit("compress", "--run", folder / "words", "--to", folder / SMALL, *asked, "--wandb", "disabled")


def write(folder: Path, train: str, written: Path) -> None:
    """Let the teacher translate the training captions, unless it has."""
    if not written.exists():
        slimlit("predict", "--run", folder / "teacher", "--data.predict", train, "--output", written)


def fit(folder: Path, run: str, config: str, arguments: list[Any]) -> None:
    """Fit a run that is not there yet, or go on with one that was stopped."""
    if (folder / run).is_dir() and not (folder / run / "student").is_dir():
        slimlit("fit", "--run", folder / run, "--resume")
    elif not (folder / run).is_dir():
        slimlit("fit", "--config", HERE / f"{config}.yaml", "--run", folder / run, *arguments)


def score(folder: Path, run: str, test: Path) -> dict[str, Any]:
    """Scores of a run, by slimlit and by sacrebleu's own command, its parameters, and words a CPU second."""
    slimlit("test", "--run", folder / run)
    reports = folder / run / "reports"
    found: dict[str, Any] = json.loads((reports / "test.json").read_text())
    found["signatures"] = json.loads((reports / "test-signatures.json").read_text())
    output = folder / f"{run}-test.jsonl"
    if not output.exists():
        started = time.monotonic()
        slimlit("predict", "--run", folder / run, "--data.predict", test, "--output", output)
        found["seconds to write the test, start included"] = round(time.monotonic() - started, 1)
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    references, hypotheses = folder / f"{run}-references.txt", folder / f"{run}.txt"
    references.write_text("".join(line["de"] + "\n" for line in lines))
    hypotheses.write_text("".join(line["prediction"] + "\n" for line in lines))
    judge = [sys.executable, "-m", "sacrebleu", str(references), "-i", str(hypotheses), "-m", "bleu", "chrf", "-w", "4"]
    done = subprocess.run(judge, check=True, capture_output=True, text=True)
    found["sacrebleu's command"] = {one["name"]: [one["score"], one["signature"]] for one in json.loads(done.stdout)}
    from transformers import AutoModelForSeq2SeqLM

    found["parameters"] = AutoModelForSeq2SeqLM.from_pretrained(folder / run / "student").num_parameters()
    return found


def slimlit(*arguments: Any) -> None:
    """Run a command of slimlit's."""
    subprocess.run([sys.executable, "-m", "slimlit", *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
