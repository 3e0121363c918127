"""``export_run``: writes a run's student for a target, reads the validation texts with it there, and keeps it if it says the same."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from slimlit import runs
from slimlit.data import Pairs, TextModule
from slimlit.export import examples
from slimlit.export.card import Card, describe, measures_of, table_of
from slimlit.export.comparison import Comparison
from slimlit.export.folder import bytes_of, expected_bytes, whole_or_none
from slimlit.export.gate import ALLOWABLE, judge
from slimlit.export.latency import time_side_by_side
from slimlit.export.metric import score
from slimlit.export.model_card import Story, write_model_card
from slimlit.export.notes import note
from slimlit.export.reference import answers
from slimlit.export.remembering import room_of
from slimlit.export.rules import refuse_rules, rules_of, stops_of
from slimlit.export.runtimes import FACTS, open_export
from slimlit.export.sample import draw_sample, one_text
from slimlit.export.targets import Order, Target, find_target
from slimlit.export.writing import Writes, count_other_words
from slimlit.models import Head
from slimlit.models.quantised import restore_modules
from slimlit.runs import Run
from slimlit.tasks.base import Task

LATENCY_TOKENS = 32


@dataclass(frozen=True)
class Wish:
    """What was asked for.

    Args:
        to: the target.
        precision: of the weights.
        allow: what the export may fail by, with commas between: cosine, metric, words, pooling.
        max_texts: validation texts it is checked on, at most.
        licence: for the model card.
        output: the folder, where it is not the run's own.
    """

    to: str
    precision: str
    allow: str
    max_texts: int
    licence: str
    output: str | None

    @property
    def name(self) -> str:
        """Of the export, its folder and its card."""
        return self.to if self.precision == "fp32" else f"{self.to}-{self.precision}"

    @property
    def allowed(self) -> list[str]:
        """What it may fail by.

        Raises:
            ValueError: the gate looks at no such thing.
        """
        named = [one.strip() for one in self.allow.split(",") if one.strip()]
        odd = [one for one in named if one not in ALLOWABLE]
        if odd:
            raise ValueError(
                f"--allow {odd[0]}: nothing is measured by that name\nexpected any of: {', '.join(ALLOWABLE)}"
            )
        return named

    def place(self, run: Run) -> Path:
        """The folder to write.

        Raises:
            ValueError: there is something that is no export of ours.
        """
        place = Path(self.output) if self.output else run.folder / "export" / self.name
        if place.exists() and not (place / FACTS).is_file():
            raise ValueError(f"{place} exists, and slimlit export did not write it\ngive another name: --output FOLDER")
        return place


def export_run(run: Run, task: Task, data: TextModule, wish: Wish) -> tuple[Card, Path]:
    """Export a finished run; a card that has faults belongs to an export that was not kept.

    Raises:
        ValueError: what was asked for cannot be, something is missing or damaged, or the disk is full.
    """
    target, allowed, place = find_target(wish.to, wish.precision, task.kind), wish.allowed, wish.place(run)
    if wish.max_texts < 1:
        raise ValueError(f"--max_texts is {wish.max_texts}; expected 1 or more, and 256 to learn much")
    data.setup("validate")
    head = Head(list(data.labels), task.kind)
    original = network = task.student_network.build(head).eval()
    rounding = original.config.to_dict().get("quantization_config")
    if rounding is not None:
        network = task.student_network.build(head).eval()
        restore_modules(network)
    sample = draw_sample(data.splits["validation"], task.kind, wish.max_texts)
    needed = expected_bytes(network.num_parameters(), run.student, wish.precision == "int8")
    card = Card(wish.name, run.name, {}, describe(sample), {}, None, {}, allowed=allowed)
    try:
        with whole_or_none(place, needed) as folder:
            order = Order(
                network, original, run.student, sample, task.kind, wish.precision == "int8", folder, data.max_length
            )
            card = _write_and_check(order, target, data, wish, card)
            card = replace(card, notes=note(card, rounding, bytes_of(run.student)))
            _write_cards(folder, run, card, data, wish)
            if card.faults:
                raise _NotKeptError
    except _NotKeptError:
        return card, place
    runs.write(run.reports / f"export-{wish.name}.json", card.text())
    runs.write(run.reports / "exports.md", table_of(run.reports.glob("export-*.json")))
    return card, place


class _NotKeptError(Exception):
    """Leaves the folder behind, to be removed."""


def _write_and_check(order: Order, target: Target, data: TextModule, wish: Wish, card: Card) -> Card:
    rules: dict[str, Any] = {}
    if order.kind == "seq2seq_lm" and wish.to != "hub":
        rules = asdict(rules_of(order.network))
    elif order.kind == "causal_lm" and wish.to not in ("hub", "gguf"):  # llama.cpp has settings of its own
        refuse_rules(order.network)
    outputs = target.write(order)
    data.tokenizer.save_pretrained(order.folder)
    shutil.copyfile(Path(examples.__file__).with_name(target.example_for(order.kind)), order.folder / "use.py")
    facts = {
        "target": wish.to,
        "precision": wish.precision,
        "kind": order.kind,
        "labels": list(data.labels),
        "inputs": order.sample.names,
        "outputs": outputs,
        "max_length": data.max_length,
        "pad_token_id": int(data.tokenizer.pad_token_id or 0),
        "stops": stops_of(order.network) if order.kind == "causal_lm" else [],
        "bos_token_id": data.tokenizer.bos_token_id,
        "room": room_of(order.network, data.max_length)
        if wish.to == "executorch" and order.kind == "causal_lm"
        else None,
        "rules": rules,
        "prefix": data.prefix if isinstance(data, Pairs) else "",
    }
    runs.write(order.folder / FACTS, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    run = open_export(order.folder)
    found = _compare(order, run)
    metric, measures = score(found, data.labels), measures_of(found)
    others = 0
    if isinstance(run, Writes):
        others, asked = count_other_words(order.original, run, order.sample)
        measures |= {"prompts with other words after them": others, "prompts": asked}
    return replace(
        card,
        files=bytes_of(order.folder),
        measures=measures,
        metric=metric,
        latency=_time(order, run),
        faults=judge(found, metric, card.allowed, 0 if order.is_int8 else others),
        versions={name: version(name) for name in ("torch", "transformers", *target.packages)},
    )


def _compare(order: Order, run: Any) -> Comparison:
    found = Comparison(order.kind)
    for inputs, labels in order.sample:
        found.add(inputs, labels, answers(order.original, inputs), run(inputs))
    found.finish()
    return found


def _time(order: Order, run: Any) -> dict[str, Any]:
    num_tokens = min(LATENCY_TOKENS, max(order.sample.lengths))
    ways = {"export": run, "eager PyTorch, fp32": lambda inputs: answers(order.network, inputs)}
    times = time_side_by_side(ways, one_text(order.sample, num_tokens))
    return {"batch": 1, "tokens": num_tokens, "threads": 1, **times}


def _write_cards(folder: Path, run: Run, card: Card, data: TextModule, wish: Wish) -> None:
    runs.write(folder / "card.json", card.text())
    write_model_card(folder, run, Story(card, wish.to, wish.licence, _names(data.sources)))


def _names(sources: dict[str, str | None]) -> Sequence[str]:
    return sorted({Path(str(source)).name for source in sources.values() if source})
