"""The tables of the README, from results.json and peers.json."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slimlit.explain.exam import Exam, Grade
from slimlit.explain.exam.grades import ALIKE, FOUND

HERE = Path(__file__).parent


def main() -> None:
    """Print them."""
    results = json.loads((HERE / "results.json").read_text(encoding="utf-8"))
    for name, result in results.items():
        exams = [exam_of(one) for one in result["exams"]]
        chance = " and ".join(f"{one.noise_chance or 0:.2f}" for one in exams)
        seconds = " and ".join(f"{one['CPU seconds']:.0f}" for one in result["exams"])
        facts = ", ".join(f"{key} {value}" for key, value in exams[0].facts.items() if key != "seed")
        print(f"{name}\n\n{table(exams)}\n\n{facts}; random maps have {chance}; {seconds} CPU s\n")
    peers = json.loads((HERE / "peers.json").read_text(encoding="utf-8"))
    print(table([exam_of(peers["exam"])]) if "exam" in peers else "", costs(peers["costs"]), sep="\n\n")


def exam_of(result: dict[str, Any]) -> Exam:
    """The exam in a result."""
    return Exam.from_json(json.dumps({name: part for name, part in result.items() if name != "CPU seconds"}))


def table(exams: Sequence[Exam]) -> str:
    """A row a method, the numbers of each seed; what failed with all of them is marked, and what failed with some."""
    lines = [
        "| method | planted: one word | planted: order | removal gain, probability | removal gain, margin | noise on top | all noise | CPU ms |",
        "|---" * 8 + "|",
    ]
    return "\n".join([*lines, *(_row(name, [one.grades[name] for one in exams]) for name in exams[0].grades)])


def _row(name: str, grades: Sequence[Grade]) -> str:
    cells = []
    for truth in ("one word", "order of two words"):
        found = [one.planted[truth] for one in grades if truth in one.planted]
        cells.append(_cell([f"{one.mean:.2f}" for one in found], [one.low >= FOUND for one in found]))
    for measure in ("probability", "margin"):
        both = [[one.removal[f"{kind} {measure}"] for kind in ("comprehensiveness", "sufficiency")] for one in grades]
        passed = [all(one.low > 0 for one in pair) for pair in both]
        cells.append(_cell([" / ".join(str(one) for one in both[0])], passed))
    for depth in grades[0].weights:
        noise = [one.weights[depth] for one in grades]
        cells.append(_cell([f"{one.mean:.2f}" for one in noise], [one.high < ALIKE for one in noise]))
    return f"| {name} | {' | '.join(cells)} | {grades[0].milliseconds:.1f} |"


def _cell(said: Sequence[str], passed: Sequence[bool]) -> str:
    """Each number once; then a cross where no seed passed, a wave where some did."""
    text = ", ".join(said[:1] if len(set(said)) == 1 else said)
    return text + ("" if all(passed) else " ~" if any(passed) else " \N{BALLOT X}")


def costs(found: dict[str, dict[str, Any]]) -> str:
    """A row a library and method: CPU, and of its page the size and the addresses it names."""
    lines = ["| one sentence | CPU ms | page, bytes | addresses it fetches from |", "|---" * 4 + "|"]
    for name, cost in found.items():
        size = f"{cost['bytes']:,}" if "bytes" in cost else "none"
        lines.append(f"| {name} | {cost['CPU ms']:.0f} | {size} | {cost.get('addresses', '')} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
