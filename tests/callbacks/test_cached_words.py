"""A language model's teacher is cached as what enters its head: all words, exactly, in the room of one state."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from transformers import AutoModelForCausalLM

from slimlit.callbacks.teacher_cache import TeacherCache
from slimlit.data import Masking
from slimlit.losses import HardLabels, Loss, SoftTargets, TopTargets, VocabularyLabels, VocabularyTargets, WeightedSum
from slimlit.models import Fresh, Pretrained, Shrunk
from slimlit.tasks import CausalLM, MaskedLM
from tests.tasks.language_models import SETTINGS, fit, make, text_data

WORDS = {"forward": 1.0, "reverse": 2.0, "jensen-shannon": 0.5}


def loss() -> Loss:
    parts: dict[str, Loss] = {name: VocabularyTargets(tau, name) for name, tau in WORDS.items()}  # type: ignore[arg-type]
    return WeightedSum({"hard": VocabularyLabels(), **parts})


def weights(task: CausalLM | MaskedLM) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in task.student.parameters()])


class Distilling:
    def __init__(self, text: Path, teacher: Path, folder: Path) -> None:
        self.text, self.teacher, self.folder = text, teacher, folder

    def fit(
        self, *callbacks: Any, masked: bool = False, data: dict[str, Any] | None = None, **trainer: Any
    ) -> CausalLM | MaskedLM:
        task = make(Shrunk(layers=[1]), Pretrained(str(self.teacher)), loss(), masked, lr=1e-3)
        texts = text_data(self.text, self.teacher, masked, **(data or {}))
        fit(task, texts, self.folder, **{"callbacks": list(callbacks), "max_steps": 4, **trainer})
        return task

    def cache(self) -> TeacherCache:
        return TeacherCache(str(self.folder / "cache"), batch_size=16)


@pytest.fixture
def distilling(toy_text: Path, toy_decoder: Path, tmp_path: Path) -> Distilling:
    return Distilling(toy_text, toy_decoder, tmp_path)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_fresh_cache_and_one_read_again_train_the_same_bit_for_bit(distilling: Distilling, precision: str) -> None:
    fresh = distilling.fit(distilling.cache(), precision=precision)
    again = distilling.fit(distilling.cache(), precision=precision)
    assert torch.equal(weights(fresh), weights(again))
    live = distilling.fit(precision=precision)
    apart = 1e-5 if precision == "32-true" else 2e-3  # batches differ in their padding, and bfloat16 rounds so
    assert float((weights(fresh) - weights(live)).abs().max()) < apart


def test_the_cached_words_are_the_live_teachers(distilling: Distilling) -> None:
    seen = []

    class Compare(Callback):
        def on_train_batch_start(
            self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
        ) -> None:
            assert isinstance(pl_module, CausalLM)
            cached = pl_module.read_teacher(batch, pl_module.teacher_needs)
            live = pl_module.read_teacher({name: part for name, part in batch.items() if name != "teacher"}, pl_module.teacher_needs)  # type: ignore[arg-type]  # fmt: skip
            assert cached is not None
            assert live is not None
            assert cached.words is not None
            assert live.words is not None
            real = batch["attention_mask"].bool()
            torch.testing.assert_close(cached.words.logits()[real], live.words.logits()[real], rtol=1e-5, atol=1e-5)
            assert "words" not in [name for name in vars(batch["teacher"]) if vars(batch["teacher"])[name] is not None]
            seen.append(len(real))

    distilling.fit(distilling.cache(), Compare(), max_steps=2)
    assert len(seen) == 2


def test_no_logits_are_kept_and_the_bytes_of_a_token_are_told(
    distilling: Distilling, capsys: pytest.CaptureFixture[str]
) -> None:
    distilling.fit(distilling.cache(), max_steps=1)
    said = capsys.readouterr().out
    assert "tokens, 128 bytes a token, in" in said  # 32 numbers of four bytes
    files = sorted(path.name for path in (distilling.folder / "cache").glob("*/*"))
    assert files == ["manifest.json", "manifest.json", "words.npy", "words.npy"]
    distilling.fit(distilling.cache(), max_steps=1, precision="bf16-mixed")
    assert "tokens, 64 bytes a token, in" in capsys.readouterr().out


def test_the_same_cache_serves_every_divergence_and_temperature(distilling: Distilling) -> None:
    distilling.fit(distilling.cache(), max_steps=1)
    before = set((distilling.folder / "cache").iterdir())
    task = make(Shrunk(layers=[1]), Pretrained(str(distilling.teacher)), VocabularyTargets(4.0, "reverse"))
    texts = text_data(distilling.text, distilling.teacher)
    fit(task, texts, distilling.folder, callbacks=[distilling.cache()], max_steps=1)
    assert set((distilling.folder / "cache").iterdir()) == before


def test_other_rows_fill_another_folder_and_a_damaged_one_is_refused(distilling: Distilling) -> None:
    distilling.fit(distilling.cache(), max_steps=1)
    distilling.fit(distilling.cache(), max_steps=1, data={"max_length": 40})
    assert len(list((distilling.folder / "cache").iterdir())) == 4
    for array in (distilling.folder / "cache").glob("*/words.npy"):
        content = bytearray(array.read_bytes())
        content[-3] ^= 1
        array.write_bytes(content)
    with pytest.raises(ValueError, match="wrong or damaged and will not be used"):
        distilling.fit(distilling.cache(), max_steps=1)


def test_the_likeliest_words_alone_are_kept_where_asked_and_train_as_the_live_teacher(distilling: Distilling) -> None:
    found, top = [], []
    for cache in (
        TeacherCache(str(distilling.folder / "cache"), top_k=5),
        TeacherCache(str(distilling.folder / "cache"), top_k=5),
        None,
    ):
        parts = WeightedSum({"hard": VocabularyLabels(), "soft": TopTargets(5, 2.0)})
        task = make(Shrunk(layers=[1]), Pretrained(str(distilling.teacher)), parts, lr=1e-3)
        texts = text_data(distilling.text, distilling.teacher)
        trainer = fit(task, texts, distilling.folder, callbacks=[] if cache is None else [cache], max_epochs=1)
        found.append(weights(task))
        top.append(trainer.callback_metrics)
    assert torch.equal(found[0], found[1])
    torch.testing.assert_close(found[0], found[2], rtol=0, atol=1e-5)
    assert float(top[0]["validation/agreement"]) == pytest.approx(float(top[2]["validation/agreement"]), abs=1e-6)
    assert "validation/divergence" not in top[0]
    files = {path.name for path in (distilling.folder / "cache").glob("*/*")}
    assert files == {"manifest.json", "top_logs.npy", "top_words.npy", "top_rest.npy"}


def test_the_likeliest_of_the_first_words_are_kept_where_the_loss_chooses_among_these(distilling: Distilling) -> None:
    padded = distilling.folder / "padded"
    shutil.copytree(distilling.teacher, padded)
    network = AutoModelForCausalLM.from_pretrained(padded)
    num_words = network.config.vocab_size
    network.resize_token_embeddings(num_words + 16)
    network.save_pretrained(padded)
    found = []
    for callbacks in ([TeacherCache(str(distilling.folder / "cache"), top_k=5)], []):
        task = make(Shrunk(layers=[1]), Pretrained(str(padded)), TopTargets(5, 2.0, num_words=num_words), lr=1e-3)
        texts = text_data(distilling.text, padded)
        fit(task, texts, distilling.folder, callbacks=callbacks, max_steps=3, limit_val_batches=0)
        found.append(weights(task))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (VocabularyTargets(), "reads all the teacher's words"),
        (WeightedSum({"a": TopTargets(5), "b": VocabularyTargets()}), "reads all the teacher's words"),
        (TopTargets(6), "asks for k and temperature"),
        (WeightedSum({"a": TopTargets(5), "b": TopTargets(5, 2.0)}), "asks for k and temperature"),
        (WeightedSum({"hard": HardLabels(), "soft": SoftTargets()}), "the loss reads its logits"),
    ],
)
def test_losses_that_read_more_than_is_kept_are_refused(loss: Loss, said: str, distilling: Distilling) -> None:
    task = make(Shrunk(layers=[1]), Pretrained(str(distilling.teacher)), loss)
    cache = TeacherCache(str(distilling.folder / "cache"), top_k=5)
    with pytest.raises(ValueError, match=said):
        fit(task, text_data(distilling.text, distilling.teacher), distilling.folder, callbacks=[cache], max_steps=1)


def test_words_hidden_anew_in_each_epoch_are_not_cached_and_fixed_ones_are(
    toy_text: Path, toy_model: Path, tmp_path: Path
) -> None:
    small = Fresh("bert", str(toy_model), SETTINGS["bert"])
    data = text_data(toy_text, toy_model, masked=True)
    task = make(small, masked=True)
    fit(task, data, tmp_path, max_steps=1)
    task.export_student(tmp_path / "teacher")
    distilling = Distilling(toy_text, tmp_path / "teacher", tmp_path)
    with pytest.raises(ValueError, match="other words are hidden in each epoch"):
        distilling.fit(distilling.cache(), masked=True, max_steps=1)
    fixed = {"masking": Masking(every_epoch=False)}
    cached = distilling.fit(distilling.cache(), masked=True, data=fixed)
    live = distilling.fit(masked=True, data=fixed)
    torch.testing.assert_close(weights(cached), weights(live), rtol=0, atol=1e-5)
