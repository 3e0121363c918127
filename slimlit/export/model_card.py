"""``write_model_card``: the README of an exported folder: what it is, how it is used, what it was made of, how good, how private, how explained."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from slimlit.export.card import Card
from slimlit.export.hub_folder import CODE
from slimlit.export.lineage import Lineage, trace
from slimlit.models.network import Kind
from slimlit.privacy.ledger import NAME, STATEMENT, Ledger, shown
from slimlit.runs import Run

_PIPELINES: dict[Kind, str] = {
    "sequence_classification": "text-classification",
    "token_classification": "token-classification",
    "causal_lm": "text-generation",
    "masked_lm": "fill-mask",
    "seq2seq_lm": "text2text-generation",
}


@dataclass(frozen=True)
class Story:
    """What a model card tells beside what the run's own files say.

    Args:
        card: of the export.
        target: it was made for.
        licence: as the user named it.
        sources: names of the files of texts, without their folders.
    """

    card: Card
    target: str
    licence: str
    sources: Sequence[str]


def write_model_card(folder: Path, run: Run, story: Story) -> None:
    """Write ``README.md`` into an exported folder, and the ledger and its statement beside it."""
    for name in (NAME, STATEMENT):
        if (run.student / name).is_file():
            (folder / name).write_bytes((run.student / name).read_bytes())
    facts = json.loads((folder / "slimlit.json").read_text(encoding="utf-8"))
    lines = [*_head(facts, story, trace(run)), *_use(folder, facts), *_making(run, story), *_quality(run, story)]
    lines += [*_privacy(run), *_explanations(run), *_limits(run, facts)]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _head(facts: dict[str, Any], story: Story, lineage: Lineage) -> Iterator[str]:
    told: dict[str, Any] = {
        "license": story.licence if story.licence != "unknown" else "other",
        "library_name": {"hub": "transformers", "onnx": "onnxruntime"}.get(story.target, story.target),
        "pipeline_tag": _PIPELINES[facts["kind"]],
        "tags": ["slimlit", facts["precision"]],
    }
    if story.licence == "unknown":
        told["license_name"] = "unknown"
    told |= {"base_model": lineage.hub} if lineage.hub else {}
    yield from ("---", yaml.safe_dump(told, sort_keys=False).rstrip(), "---", f"# {story.card.run}", "")
    yield f"A student trained with slimlit, exported for {story.target} in {facts['precision']}."
    if facts["labels"]:
        shown_labels = ", ".join(map(str, facts["labels"][:40]))
        yield f"It answers with one of {len(facts['labels'])} classes: {shown_labels}{', ...' if len(facts['labels']) > 40 else ''}."
    yield ""


def _use(folder: Path, facts: dict[str, Any]) -> Iterator[str]:
    yield from ("## Use", "", "```", 'python use.py "a text"', "```", "")
    if facts["target"] == "hub" and (folder / CODE).is_file():
        yield f"The architecture is not one of transformers' own: an encoder with attention pooling. Its code is in `{CODE}`, one file, which"
        yield "`AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)` reads; read it first. Without that flag"
        yield "transformers refuses the folder, unless slimlit is imported. `transformers serve` does not serve classifiers of one's own."
    elif facts["target"] == "hub":
        yield f'`pipeline("{_PIPELINES[facts["kind"]]}", folder)` and `AutoModel...from_pretrained(folder)` load it without `trust_remote_code`.'
    elif facts["kind"] == "causal_lm":
        room = f" It has room for {facts['room']} tokens of prompt and answer together." if facts["room"] else ""
        yield f"What it reads and remembers from call to call stands in `use.py`. Texts were cut at {facts['max_length']} tokens.{room}"
    elif facts["kind"] == "seq2seq_lm":
        yield f"The encoder reads `input_ids` and `attention_mask` (int64, any batch, length up to {facts['max_length']} tokens), once a text, and answers the keys and"
        yield "values that the decoder reads of it. The decoder takes those, `attention_mask`, `decoder_input_ids` and what is remembered of the words before, and"
        yield "answers `logits`, a word at a time; `use.py` shows how. Keep all files of this folder together."
        if facts["prefix"]:
            yield f"Each text was read after the words `{facts['prefix']}`; `use.py` puts them there."
    else:
        yield f"Inputs: {', '.join(f'`{name}`' for name in facts['inputs'])}, int64, of any batch and length up to {facts['max_length']} tokens."
        yield f"Outputs: {', '.join(f'`{name}`' for name in facts['outputs'])}."
    if "pooling_weights" in facts["outputs"]:
        yield "The pooling weights say how much of each token was read; they are no proof of why."
    yield ""


def _making(run: Run, story: Story) -> Iterator[str]:
    model = yaml.safe_load(run.config.read_text(encoding="utf-8"))["model"]
    settings = model.get("init_args", {})
    yield from ("## Made of", "", f"- Task: `{model['class_path'].rsplit('.', 1)[-1]}`.")
    for role in ("student", "teacher"):
        network = settings.get(role)
        if network:
            yield f"- {role.capitalize()}: `{network['class_path'].rsplit('.', 1)[-1]}`{_details(network)}."
            yield f"- The {role}'s weights come from: {trace(run, role).text}."
    loss = (settings.get("loss") or {}).get("class_path", "the task's own")
    yield f"- Loss: `{loss.rsplit('.', 1)[-1]}`."
    yield f"- Texts: {', '.join(story.sources) or 'not named'}{_counts(run)}."
    yield f"- Licence: {story.licence}. That of the first model and of the texts may bind it too; slimlit does not know them.\n"


def _details(network: dict[str, Any]) -> str:
    """Its settings; where its weights come from stands in a line of its own, and a plan is a folder of this machine."""
    settings = {
        name: value
        for name, value in network.get("init_args", {}).items()
        if value is not None and name not in ("source", "of", "plan")
    }
    said = ", ".join(
        f"{name} {Path(value).name if isinstance(value, str) else value}" for name, value in settings.items()
    )
    return f" ({said})" if said else ""


def _counts(run: Run) -> str:
    report = _read(run.reports / "data.json")
    found = [
        f"{part['examples']:,} {name}" for name, part in report.items() if isinstance(part, dict) and "examples" in part
    ]
    return f" ({', '.join(found)})" if found else ""


def _quality(run: Run, story: Story) -> Iterator[str]:
    yield from ("## How good", "")
    for part in ("test", "validate"):
        scores = {
            name: value for name, value in _read(run.reports / f"{part}.json").items() if isinstance(value, float)
        }
        if scores:
            yield f"- {part}, of the student itself: {', '.join(f'{name} {value:.4f}' for name, value in scores.items())}."
    card = story.card
    yield f"- This export beside the student, on {card.texts['number']} validation texts of {card.texts['tokens']['least']} to"
    yield f"  {card.texts['tokens']['most']} tokens in its own runtime: least cosine {card.measures['least cosine']:.5f}, {card.measures['label flips']} of"
    yield f"  {card.measures['places']} answers others, greatest difference of a logit {card.measures['greatest difference']:.2g}."
    if card.metric is not None:
        yield f"- {card.metric.name} on them: {card.metric.exported:.4f}, the student's {card.metric.network:.4f}."
    yield from (f"- {line[0].upper()}{line[1:]}." for line in card.notes)
    if card.allowed:
        yield f"- It was allowed to fail by: {', '.join(card.allowed)}."
    yield ""


def _privacy(run: Run) -> Iterator[str]:
    yield from ("## Privacy", "")
    if not run.ledger.is_file():
        yield "Its ledger is gone: nothing is claimed.\n"
        return
    for cost in Ledger.read(run.ledger).costs():
        yield f"- {cost.split} texts of {Path(cost.source).name} ({cost.num_units:,} of unit {cost.unit}): epsilon {shown(cost.epsilon)} at delta {cost.delta:.2g}."
    yield f"\nThe whole ledger is in `{NAME}`, and in words in `{STATEMENT}`. The measures above were taken without noise on validation texts.\n"


def _explanations(run: Run) -> Iterator[str]:
    yield from ("## Explanations", "")
    grades = _read(run.reports / "exam.json").get("grades", {})
    marks = {True: "passed", False: "failed", None: "not tested"}
    for name, grade in grades.items():
        yield f"- {name}: {', '.join(f'{part} {marks[passed]}' for part, passed in grade['passed'].items())}."
    yield "" if grades else "None was examined.\n"


def _limits(run: Run, facts: dict[str, Any]) -> Iterator[str]:
    yield from ("## Limits", "")
    yield f"- Texts are cut at {facts['max_length']} tokens."
    yield "- It was tried on texts like those it was trained on, and on no others; nobody looked for bias, or for texts made to deceive it."
    if "pooling_mask" in facts["inputs"]:
        yield "- It was trained with stop words hidden from its pooling; `use.py` hides none. Give `pooling_mask` with 0 at their tokens."
    if facts["precision"] == "int8":
        yield "- Its numbers are rounded to int8: single logits differ, most where an answer was close."


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content
