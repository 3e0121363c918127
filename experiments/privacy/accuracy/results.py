"""What came of the runs: accuracy, epsilon by the ledger and CPU seconds of each, and the tables made of them."""

import datetime
import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from experiments.privacy.accuracy.plan import EPSILONS, KINDS, SEEDS, DataSet, data_sets, name_of

Scores = dict[str, dict[str, Any]]


def collect(runs: Path) -> Scores:
    """Every finished run by name: test accuracy, what its ledger says of the private texts, CPU seconds."""
    found: Scores = {}
    for done in sorted(runs.glob("*/took.json")):
        score = json.loads((done.parent / "reports" / "test.json").read_text())
        ledger = json.loads((done.parent / "privacy.json").read_text())
        private = [one for one in ledger["data"] if not str(one["source"]).startswith(str(runs))]
        took = json.loads(done.read_text())
        found[done.parent.name] = {
            "accuracy": round(score["test/accuracy"], 4),
            "epsilon": {f"{Path(one['source']).parent.name} {one['split']}": one["epsilon"] for one in private},
            "cpu_seconds": {key: round(value, 1) for key, value in took.items() if key != "wall"},
        }
    return found


def mean_and_spread(scores: Scores, names: Iterable[str]) -> tuple[float, float, float, int] | None:
    """Mean, lowest and highest accuracy of runs, and how many there are; None where none is."""
    values = [scores[name]["accuracy"] for name in names if name in scores]
    return (statistics.mean(values), min(values), max(values), len(values)) if values else None


def ordinary(scores: Scores, data: str) -> tuple[float, float, float, int] | None:
    """The student trained wholly and without privacy."""
    return mean_and_spread(scores, (f"{data}-ordinary-{seed}" for seed in SEEDS))


def public(scores: Scores, data: DataSet) -> tuple[float, float, float, int] | None:
    """The public student as it is, where its classes are those of the private texts."""
    return mean_and_spread(scores, [f"{data.name}-public-student"] if data.has_public_labels else [])


def table(scores: Scores, sets: Iterable[DataSet]) -> str:
    """One row a data set and kind: mean accuracy, lowest to highest, and the share of the ordinary student's."""
    heads = ["ε = none" if epsilon is None else f"ε = {epsilon:g}" for epsilon in EPSILONS]
    lines = [
        f"| data | distillation | public text alone | {' | '.join(heads)} | share kept at ε = 3 | ordinary student |",
        "|---" * 9 + "|",
    ]
    for data in sets:
        whole = ordinary(scores, data.name)
        for kind in KINDS:
            alone = public(scores, data) if kind == "with" else None
            cells = [data.title, kind, f"{alone[0]:.3f}" if alone else "–"]
            for epsilon in EPSILONS:
                one = mean_and_spread(scores, (name_of(data.name, kind, epsilon, seed) for seed in SEEDS))
                cells.append("–" if one is None else f"{one[0]:.3f} ({one[1]:.3f}–{one[2]:.3f})")
            three = mean_and_spread(scores, (name_of(data.name, kind, 3.0, seed) for seed in SEEDS))
            cells.append(f"{three[0] / whole[0]:.1%}" if three and whole else "–")
            cells.append(f"{whole[0]:.3f} ({whole[3]} seed{'s' * (whole[3] > 1)})" if whole else "–")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write(runs: Path, folder: Path, shared: Path) -> None:
    """Put results, plot and table where the experiment is kept."""
    from experiments.privacy.accuracy.plot import plot

    scores, sets = collect(runs), data_sets(shared)
    content = {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "runs": scores}
    (folder / "results.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (folder / "accuracy.svg").write_text(plot(scores, sets), encoding="utf-8")
    print(table(scores, sets))
