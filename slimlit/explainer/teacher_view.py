"""The teacher beside the student: the same questions, in its own tokens where it has others, and its maps over the same words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.explain.exam import rank_correlation
from slimlit.explain.question import Question
from slimlit.explain.records import Map, TeacherView
from slimlit.explainer.asked import Asked, Chunk, One, by_word, of_specials, own_inputs, stack, to_device
from slimlit.explainer.looking import heats_of, look
from slimlit.explainer.networks import Networks
from slimlit.types import Batch


@dataclass(frozen=True)
class Theirs:
    """What a teacher says of some questions, and its numbers by method, one a token of its own."""

    probabilities: Float[Tensor, "batch classes"]
    heats: dict[str, Float[Tensor, "batch inputs"]]
    num_tokens: int


def ask_teacher(networks: Networks, examples: Sequence[Asked], chunk: Chunk) -> Theirs:
    """What the teacher says of the same questions, by those methods that can read it."""
    teacher, methods = networks.teacher, networks.teacher_methods
    assert teacher is not None
    batch, question = _in_their_tokens(networks, examples, chunk)
    seen = look(teacher, batch, question, with_maps=False)
    heats: dict[str, Float[Tensor, "batch inputs"]] = {}
    for name, method in methods.items():
        try:
            heats |= heats_of(teacher, {name: method}, batch, question, seen)
        except ValueError:  # it has another head
            continue
    return Theirs(torch.softmax(seen.logits, dim=-1), heats, batch["input_ids"].shape[1])


def _in_their_tokens(networks: Networks, examples: Sequence[Asked], chunk: Chunk) -> tuple[Batch, Question]:
    if networks.teacher_pad is None:
        return chunk.batch, chunk.question
    rows, places = list[Batch](), list[int]()
    for example, number in chunk.where:
        theirs = examples[example].theirs
        assert theirs is not None
        rows.append(theirs.batch)
        places.append(_place(theirs, examples[example].questions[number]) or 0)
    question = replace(chunk.question, places=torch.tensor(places, device=networks.device))
    return to_device(stack(rows, networks.teacher_pad), networks.device), question


def _place(theirs: Asked, one: One) -> int | None:
    """Where the asked word begins in the teacher's tokens; None where it does not see it."""
    tokens = () if one.word is None else theirs.words[one.word].tokens
    return tokens[0] if tokens else None


def view(
    networks: Networks, teacher: Theirs, row: int, example: Asked, one: One, maps: Sequence[Map], movable: Sequence[int]
) -> TeacherView | None:
    """The teacher's answer to a question, its maps, and their rank correlations with ours over the words that can be taken away.

    None where the teacher does not see the asked word.
    """
    asked = example if example.theirs is None else example.theirs
    if example.theirs is not None and _place(asked, one) is None:
        return None
    said = teacher.probabilities[row]
    best = int(said.argmax())
    shared = [place for place in movable if asked.words[place].tokens]
    theirs, correlations = list[Map](), list[float | None]()
    for ours in maps:
        if ours.method not in teacher.heats:
            continue
        inputs = own_inputs(teacher.heats[ours.method][row], asked, teacher.num_tokens)
        heat = by_word(inputs, asked.words)
        theirs.append(Map(ours.method, heat.tolist(), specials=of_specials(inputs, asked.words)))
        pair = np.asarray(ours.heat)[shared], heat[shared]
        correlations.append(rank_correlation(*pair) if len(shared) > 1 else None)
    return TeacherView(networks.named(best), float(said[best]), float(said[one.number]), theirs, correlations)
