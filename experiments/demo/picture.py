"""Draw what a run's student looks at in a sentence: ``python -m experiments.demo.picture runs/student "a sentence" out.svg``."""

import argparse
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import slimlit.models  # noqa: F401 (teaches AutoModel our classifier)
from slimlit.explain.word_strip import draw_word_strips
from slimlit.explain.words import find_words, sum_by_word


def picture(run: Path, sentence: str) -> str:
    """The sentence as SVG, its words shaded by the weights of the attention pooling."""
    model = AutoModelForSequenceClassification.from_pretrained(run / "student").eval()
    encoded = AutoTokenizer.from_pretrained(run / "student")(sentence, return_tensors="pt")
    with torch.inference_mode():
        answer = model(input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"])
    probability, label = torch.softmax(answer.logits[0], dim=-1).max(dim=-1)
    words = find_words(encoded.encodings[0], [sentence])
    weights = sum_by_word(answer.pooling_weights[0], words).numpy()
    return draw_word_strips(
        "a student's attention pooling",
        [f"student: {model.config.id2label[int(label)]} ({probability:.2f})"],
        words,
        {f"pooling head {number}": row for number, row in enumerate(weights, start=1)},
        "where the pooling looked (not yet scored: not an explanation)",
    )


def main() -> None:
    """Read the command line, draw, write."""
    parser = argparse.ArgumentParser(prog="python -m experiments.demo.picture", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("sentence")
    parser.add_argument("file", type=Path)
    asked = parser.parse_args()
    asked.file.write_text(picture(asked.run, asked.sentence), encoding="utf-8")


if __name__ == "__main__":
    main()
