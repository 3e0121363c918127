"""The experiment on explanations: its tables are those of its results."""

import json
from pathlib import Path

import experiments.explanations as experiment
from experiments.explanations.report import costs, exam_of, table

HERE = Path(experiment.__file__).parent


def test_the_readmes_tables_are_those_of_the_results() -> None:
    page = (HERE / "README.md").read_text(encoding="utf-8")
    for result in json.loads((HERE / "results.json").read_text(encoding="utf-8")).values():
        assert table([exam_of(one) for one in result["exams"]]) in page
    peers = json.loads((HERE / "peers.json").read_text(encoding="utf-8"))
    assert costs(peers["costs"]) in page
    assert table([exam_of(peers["exam"])]) in page
