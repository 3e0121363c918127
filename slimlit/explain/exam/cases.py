"""``read_cases``: what a network says of texts without some of their inputs; each distinct one is read once, short ones together."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from slimlit.explain.question import Measure, Question, answer, ask, distinct, score, take, without
from slimlit.explain.shortening import can_shorten, moved, shorten, trim
from slimlit.models import PreTrainedModel
from slimlit.types import Batch

MEASURES: tuple[Measure, ...] = ("probability", "margin")
TOKENS_AT_ONCE = 4096


@dataclass(frozen=True)
class Cases:
    """Rows of a batch, each with some of its inputs hidden: what is to be read."""

    rows: Int[np.ndarray, " cases"]
    hidden: Bool[np.ndarray, "cases inputs"]


def read_cases(
    network: PreTrainedModel, batch: Batch, question: Question, cases: Cases, blank: int | None = None
) -> dict[Measure, Float[np.ndarray, " cases"]]:
    """What the network says of the asked answer in each case, in every measure.

    A text without the same inputs is read once, whatever is asked of it. Where the architecture allows, hidden inputs are left out
    of the sequence instead of being masked in it: the others keep their positions, so that nothing else changes.
    """
    first_of_text, text_of = (part.cpu().numpy() for part in distinct(batch))
    texts, first, back = _distinct(text_of[cases.rows], cases.hidden)
    asked, back = np.unique(
        np.stack([back, cases.rows], axis=1), axis=0, return_inverse=True
    )  # an input, and who asks it
    kept, is_shortened = _kept(network, batch, question, first_of_text[texts], cases.hidden[first], asked)
    widths = kept.sum(axis=1)
    if "decoder_input_ids" in batch:
        widths = widths + batch["decoder_input_ids"].shape[1]
    order = np.argsort(-widths, kind="stable")
    by_input = np.argsort(asked[:, 0], kind="stable")
    ends = np.searchsorted(asked[by_input, 0], np.arange(len(texts) + 1))
    found = {measure: np.zeros(len(asked)) for measure in MEASURES}
    device, start = batch["input_ids"].device, 0
    with eval_mode(network), torch.inference_mode():
        while start < len(order):
            chosen = order[start : start + max(1, TOKENS_AT_ONCE // int(widths[order[start]]))]
            start += len(chosen)
            rows = torch.from_numpy(first_of_text[texts[chosen]]).to(device)
            part = without(take(batch, rows), torch.from_numpy(cases.hidden[first[chosen]]).to(device), blank)
            askers = np.concatenate([by_input[ends[one] : ends[one + 1]] for one in chosen])
            whose = torch.from_numpy(np.repeat(np.arange(len(chosen)), ends[chosen + 1] - ends[chosen])).to(device)
            own = ask(question, torch.from_numpy(asked[askers, 1]).to(device))
            stays = torch.from_numpy(kept[chosen]).to(device)
            if not is_shortened:
                logits = answer(network, trim(part, int(stays.sum(dim=1).max())), own, whose)
            else:
                places = None if own.places is None else moved(own.places, stays[whose])
                logits = answer(network, shorten(network, part, stays), replace(own, places=places), whose)
            for measure in MEASURES:
                found[measure][askers] = score(logits, own, measure).double().cpu().numpy()
    return {measure: values[back.reshape(-1)] for measure, values in found.items()}


def _distinct(
    texts: Int[np.ndarray, " cases"], hidden: Bool[np.ndarray, "cases inputs"]
) -> tuple[Int[np.ndarray, " different"], Int[np.ndarray, " different"], Int[np.ndarray, " cases"]]:
    """The texts of the different cases, the first case of each, and which of them each case is."""
    numbers = texts[:, None].astype(">u4").view(np.uint8).reshape(len(texts), 4)
    lines = np.concatenate([numbers, np.packbits(hidden, axis=1)], axis=1)
    _, first, back = np.unique(lines, axis=0, return_index=True, return_inverse=True)
    return texts[first], first, back.reshape(-1)


def _kept(
    network: PreTrainedModel,
    batch: Batch,
    question: Question,
    rows: Int[np.ndarray, " different"],
    hidden: Bool[np.ndarray, "different inputs"],
    asked: Int[np.ndarray, "askers 2"],
) -> tuple[Bool[np.ndarray, "different tokens"], bool]:
    """The tokens of each case that have to be read, and whether the others may be left out from between them.

    What is not hidden, a text's first token, which may be what the answer is read from, and the places that are asked; of a
    decoder nothing behind the last of these.
    """
    real = batch["attention_mask"].bool().cpu().numpy()[rows]
    num_tokens = real.shape[1]
    if not can_shorten(network, batch):
        longest = np.where(real.any(axis=1), num_tokens - real[:, ::-1].argmax(axis=1), 1)
        return np.arange(num_tokens) < longest[:, None], False
    kept = real & ~hidden
    if question.places is None:
        kept[:, 0] = True
        return kept, True
    places = question.places.cpu().numpy()[asked[:, 1]]
    kept[asked[:, 0], places] = True
    if question.kind == "causal_lm":
        last = np.zeros(len(kept), dtype=np.int64)
        np.maximum.at(last, asked[:, 0], places)
        kept &= np.arange(num_tokens) <= last[:, None]
    return kept, True


@contextmanager
def eval_mode(network: PreTrainedModel) -> Iterator[None]:
    """Read the network without dropout; every module's mode is given back."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
