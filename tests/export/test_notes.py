"""What a card says beside its measures."""

from typing import Any

from slimlit.export.card import Card
from slimlit.export.notes import note


def notes(number: int, rounding: dict[str, Any] | None, name: str = "onnx-int8") -> list[str]:
    card = Card(name, "run", {"model.onnx": 9_000_000, "use.py": 10**9}, {"number": number}, {}, None, {})
    return note(card, rounding, {"model.safetensors": 8_000_000})


def test_enough_texts_and_plain_weights_need_no_word() -> None:
    assert notes(256, None) == []
    assert notes(255, None)[0].startswith("weak evidence")


def test_other_words_than_the_networks_are_told() -> None:
    measures = {"prompts with other words after them": 2, "prompts": 8}
    card = Card("onnx-int8", "run", {}, {"number": 256}, measures, None, {})
    assert note(card, None, {}) == ["it writes other words than the network after 2 of 8 prompts"]


def test_rounded_weights_are_told_with_sizes_and_rounded_states_are_told_not_to_leave() -> None:
    both = notes(256, {"bits": 8, "activations": "int8"})
    assert both[0] == (
        "the student's weights of 8 bits (8.00 MB) leave restored to float32, and are rounded anew to int8: 9.00 MB"
    )
    assert "does not leave with it" in both[1]
    (one,) = notes(256, {"bits": 4, "activations": "float"}, "hub")
    assert one.endswith("leave restored to float32: 9.00 MB")
