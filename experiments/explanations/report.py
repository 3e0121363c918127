"""The tables of the README, from results.json and peers.json."""

import json
from pathlib import Path
from typing import Any

from slimlit.explain.exam import Exam, Grade

HERE = Path(__file__).parent


def main() -> None:
    """Print them."""
    results = json.loads((HERE / "results.json").read_text(encoding="utf-8"))
    for name, result in results.items():
        print(f"{name}\n\n{table(result)}\n")
    peers = json.loads((HERE / "peers.json").read_text(encoding="utf-8"))
    print(table(peers["exam"]) if "exam" in peers else "", costs(peers["costs"]), sep="\n\n")


def exam_of(result: dict[str, Any]) -> Exam:
    """The exam in a result."""
    return Exam.from_json(json.dumps({name: part for name, part in result.items() if name != "CPU seconds"}))


def table(result: dict[str, Any]) -> str:
    """A row a method; what failed is marked."""
    exam = exam_of(result)
    lines = [
        "| method | planted: one word | planted: order | removal gain, probability | removal gain, margin | noise on top | all noise | CPU ms |",
        "|---" * 8 + "|",
    ]
    return "\n".join([*lines, *(_row(name, grade) for name, grade in exam.grades.items())])


def _row(name: str, grade: Grade) -> str:
    planted = [grade.planted.get(truth) for truth in ("one word", "order of two words")]
    cells = [_marked("" if one is None else f"{one.mean:.2f}", one is None or one.low >= 0.8) for one in planted]
    for measure in ("probability", "margin"):
        both = [grade.removal[f"{kind} {measure}"] for kind in ("comprehensiveness", "sufficiency")]
        cells.append(_marked(" / ".join(str(one) for one in both), all(one.low > 0 for one in both)))
    cells += [_marked(f"{one.mean:.2f}", one.high < 0.5) for one in grade.weights.values()]
    return f"| {name} | {' | '.join(cells)} | {grade.milliseconds:.1f} |"


def _marked(text: str, is_passed: bool) -> str:
    return text if is_passed else f"{text} \N{BALLOT X}"


def costs(found: dict[str, dict[str, Any]]) -> str:
    """A row a library and method: CPU, and of its page the size and the addresses it names."""
    lines = ["| one sentence | CPU ms | page, bytes | addresses it fetches from |", "|---" * 4 + "|"]
    for name, cost in found.items():
        size = f"{cost['bytes']:,}" if "bytes" in cost else "none"
        lines.append(f"| {name} | {cost['CPU ms']:.0f} | {size} | {cost.get('addresses', '')} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
