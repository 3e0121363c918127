"""Stored teacher outputs come back as the teacher said them, and wrong or damaged ones are refused."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig

from slimlit.models import SequenceClassifier, SequenceClassifierConfig, read
from slimlit.models.fingerprint import fingerprint
from slimlit.models.teacher_outputs import MANIFEST, FixedTexts, TeacherOutputs, folder_for, identify
from slimlit.models.teacher_pass import compute
from slimlit.types import Batch, Needs, Output

SMALL = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
NEEDS: Needs = frozenset({"hidden_states.0", "hidden_states.2", "queries.2", "keys.1", "values.2"})


@dataclass
class Texts:
    """Random tokens of random lengths."""

    ids: list[list[int]]
    fingerprint: str = "texts"

    @property
    def lengths(self) -> np.ndarray:
        return np.array([len(ids) for ids in self.ids])

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, rows: Sequence[int]) -> Batch:
        width = max(len(self.ids[row]) for row in rows)
        ids = torch.tensor([self.ids[row] + [0] * (width - len(self.ids[row])) for row in rows])
        mask = torch.tensor([[1] * len(self.ids[row]) + [0] * (width - len(self.ids[row])) for row in rows])
        labels = torch.zeros(len(rows), dtype=torch.int64)
        return Batch(input_ids=ids, attention_mask=mask, labels=labels, example_id=torch.tensor(list(rows)))


def make_texts(count: int = 23, longest: int = 12) -> Texts:
    generator = np.random.default_rng(0)
    return Texts([generator.integers(1, 50, generator.integers(1, longest + 1)).tolist() for _ in range(count)])


def make_teacher(seed: int = 0) -> SequenceClassifier:
    torch.manual_seed(seed)
    teacher = SequenceClassifier(SequenceClassifierConfig(encoder=BertConfig(**SMALL), num_labels=3))
    teacher.eval()
    return teacher


def store(root: Path, teacher: SequenceClassifier, texts: Texts, needs: Needs = NEEDS) -> TeacherOutputs:
    identity = identify(fingerprint(teacher), texts, needs, "32")
    folder = folder_for(root, identity)
    if not folder.exists():
        compute(folder, identity, texts, lambda batch: read(teacher, batch, frozenset(identity["needs"])), batch_size=5)
    return TeacherOutputs(folder, identity, texts)


def tensors(output: Output) -> dict[str, torch.Tensor]:
    parts = {name: getattr(output, name) for name in ("hidden_states", "queries", "keys", "values")}
    return {
        "logits": output.logits,
        **{f"{name}.{i}": state for name, part in parts.items() for i, state in part.items()},
    }


def test_what_comes_back_is_what_the_teacher_says_with_padding_zero(tmp_path: Path) -> None:
    teacher, texts = make_teacher(), make_texts()
    stored = store(tmp_path, teacher, texts)
    batch = texts.batch([3, 20, 7, 7, 0])
    found = tensors(stored.rows(batch["example_id"], batch["input_ids"].shape[1]))
    with torch.no_grad():
        live = tensors(read(teacher, batch, NEEDS))
    real = batch["attention_mask"].bool()
    assert set(found) == {"logits", *NEEDS}
    for name, state in found.items():
        assert state.shape == live[name].shape
        if name != "logits":
            mask = real[:, :, None] if name.startswith("hidden") else real[:, None, :, None]
            assert (state.masked_select(~mask) == 0).all()
            state, live[name] = state * mask, live[name] * mask
        assert torch.allclose(state, live[name], atol=1e-5)


def test_nobody_but_the_user_can_read_what_a_teacher_said_of_texts(tmp_path: Path) -> None:
    store(tmp_path, make_teacher(), make_texts())
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o077 == 0


def test_reading_again_gives_the_same_bits(tmp_path: Path) -> None:
    teacher, texts = make_teacher(), make_texts()
    first = tensors(store(tmp_path, teacher, texts).rows(torch.arange(23), 12))
    again = tensors(store(tmp_path, teacher, texts).rows(torch.arange(23), 12))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_half_precision_states_keep_their_bits_and_logits_become_float32(tmp_path: Path) -> None:
    teacher, texts = make_teacher().bfloat16(), make_texts(6)
    stored = store(tmp_path, teacher, texts)
    found = stored.rows(torch.arange(6), 12)
    assert found.logits.dtype == torch.float32
    assert found.hidden_states[2].dtype == torch.bfloat16
    batch = texts.batch([5])
    with torch.no_grad():
        live = read(teacher, batch, NEEDS).hidden_states[2]
    found_alone = stored.rows(torch.tensor([5]), batch["input_ids"].shape[1]).hidden_states[2]
    assert torch.allclose(found_alone.float(), live.float(), atol=0.05)


def test_the_folder_changes_with_weights_texts_needs_and_precision() -> None:
    teacher, texts = make_teacher(), make_texts()
    base = identify(fingerprint(teacher), texts, NEEDS, "32")
    others = [
        identify(fingerprint(make_teacher(1)), texts, NEEDS, "32"),
        identify(fingerprint(teacher), Texts(texts.ids, "other texts"), NEEDS, "32"),
        identify(fingerprint(teacher), texts, NEEDS - {"queries.2"}, "32"),
        identify(fingerprint(teacher), texts, NEEDS, "bf16-mixed"),
    ]
    assert len({folder_for(Path(), identity) for identity in [base, *others]}) == 5


def test_a_network_saved_and_loaded_keeps_its_fingerprint_and_one_weight_changes_it(tmp_path: Path) -> None:
    teacher = make_teacher()
    before = fingerprint(teacher)
    teacher.save_pretrained(tmp_path)
    loaded = SequenceClassifier.from_pretrained(tmp_path)
    assert fingerprint(loaded) == before
    with torch.no_grad():
        loaded.classifier.bias[1] += 1e-6
    assert fingerprint(loaded) != before


@pytest.mark.parametrize("damage", ["flip a bit", "cut short", "no manifest", "other teacher", "no file", "not json"])
def test_a_wrong_or_damaged_folder_is_refused(tmp_path: Path, damage: str) -> None:
    teacher, texts = make_teacher(), make_texts()
    store(tmp_path, teacher, texts)
    folder = next(path for path in tmp_path.iterdir())
    manifest, array = folder / MANIFEST, folder / "hidden_states.2.npy"
    if damage == "flip a bit":
        content = bytearray(array.read_bytes())
        content[-5] ^= 1
        array.write_bytes(content)
    elif damage == "cut short":
        array.write_bytes(array.read_bytes()[:-8])
    elif damage == "no manifest":
        manifest.unlink()
    elif damage == "other teacher":
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "teacher": "somebody else"}))
    elif damage == "no file":
        array.unlink()
    else:
        manifest.write_text("{")
    with pytest.raises(ValueError, match="wrong or damaged and will not be used") as caught:
        store(tmp_path, teacher, texts)
    assert len(str(caught.value).splitlines()) <= 5


def test_outputs_of_other_texts_under_the_same_name_are_refused(tmp_path: Path) -> None:
    teacher, texts = make_teacher(), make_texts()
    identity = identify(fingerprint(teacher), texts, NEEDS, "32")
    store(tmp_path, teacher, texts)
    longer = Texts([[*ids, 1] for ids in texts.ids])
    with pytest.raises(ValueError, match="other sizes"):
        TeacherOutputs(folder_for(tmp_path, identity), identity, longer)


def test_an_interrupted_pass_leaves_nothing_behind(tmp_path: Path) -> None:
    teacher, texts = make_teacher(), make_texts()
    identity = identify(fingerprint(teacher), texts, frozenset(), "32")
    calls = iter(range(3))

    def stops(batch: Batch) -> Output:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return read(teacher, batch)

    with pytest.raises(KeyboardInterrupt):
        compute(folder_for(tmp_path, identity), identity, texts, stops, batch_size=5)
    assert list(tmp_path.iterdir()) == []


def test_of_two_processes_at_once_the_first_to_finish_stays(tmp_path: Path) -> None:
    teacher, texts = make_teacher(), make_texts()
    identity = identify(fingerprint(teacher), texts, frozenset(), "32")
    folder = folder_for(tmp_path, identity)
    for _ in range(2):
        compute(folder, identity, texts, lambda batch: read(teacher, batch), batch_size=5)
    assert list(tmp_path.iterdir()) == [folder]
    TeacherOutputs(folder, identity, texts)


def test_a_full_disk_is_found_before_it_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        free = 100

    monkeypatch.setattr("shutil.disk_usage", lambda folder: Full())
    with pytest.raises(ValueError, match=r"take .* MiB; .* has 0"):
        store(tmp_path, make_teacher(), make_texts())
    assert list(tmp_path.iterdir()) == []


def test_texts_longer_than_what_was_stored_are_refused(tmp_path: Path) -> None:
    stored = store(tmp_path, make_teacher(), make_texts())
    with pytest.raises(ValueError, match="1 tokens wide"):
        stored.rows(torch.arange(5), 1)


def test_gathering_the_logits_of_a_batch_takes_less_than_a_fifth_of_a_millisecond(tmp_path: Path) -> None:
    stored = store(tmp_path, make_teacher(), make_texts(200), needs=frozenset())
    rows = torch.randint(200, (32,))
    seconds = []
    for _ in range(200):
        started = time.perf_counter()
        stored.rows(rows, 12)
        seconds.append(time.perf_counter() - started)
    assert sorted(seconds)[100] < 0.2e-3


def test_the_double_is_what_the_cache_takes_for_fixed_texts() -> None:
    assert isinstance(make_texts(), FixedTexts)
    assert not isinstance([1, 2], FixedTexts)
