"""The experiment on explanations: its tables are those of its results."""

import json
from pathlib import Path

import experiments.explanations as experiment
from experiments.explanations.report import costs, table

HERE = Path(experiment.__file__).parent


def test_the_readmes_tables_are_those_of_the_results() -> None:
    page = (HERE / "README.md").read_text(encoding="utf-8")
    for result in json.loads((HERE / "results.json").read_text(encoding="utf-8")).values():
        assert table(result) in page
    peers = json.loads((HERE / "peers.json").read_text(encoding="utf-8"))
    assert costs(peers["costs"]) in page
    assert table(peers["exam"]) in page
