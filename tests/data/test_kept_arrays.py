"""What is kept is read back as it was, and what is damaged is not read at all."""

import json
from pathlib import Path

import numpy as np

from slimlit.data.kept_arrays import load_arrays, save_arrays

FACTS = {"notes": {"cut": 3, "文": None}, "columns": {"a": 0}, "by number": {10: 1, 9: 2}}


def test_arrays_and_facts_are_read_back(tmp_path: Path) -> None:
    arrays = {"a": np.arange(5, dtype=np.int32), "a.offsets": np.asarray([0, 2, 5])}
    save_arrays(tmp_path / "kept", arrays, FACTS)
    found = load_arrays(tmp_path / "kept")
    assert found is not None
    assert found[1] == json.loads(json.dumps(FACTS))
    assert {name: array.tolist() for name, array in found[0].items()} == {"a": [0, 1, 2, 3, 4], "a.offsets": [0, 2, 5]}


def test_facts_that_were_changed_are_not_believed(tmp_path: Path) -> None:
    save_arrays(tmp_path / "kept", {"a": np.arange(5)}, FACTS)
    manifest = tmp_path / "kept" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"cut": 3', '"cut": 4'))
    assert load_arrays(tmp_path / "kept") is None
    save_arrays(tmp_path / "kept", {"a": np.arange(5)}, FACTS)
    assert load_arrays(tmp_path / "kept") is not None
