"""``explain_run``: reads what is wanted, asks the student, maps and tests its reasons, lays the teacher beside."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch

from slimlit.explain.method import Method
from slimlit.explain.methods import FAST, METHODS, SURE, methods_for
from slimlit.explain.methods.integrated_gradients import IntegratedGradients
from slimlit.explain.methods.leave_one_out import LeaveOneOut
from slimlit.explain.methods.pooling import has_attention_pooling
from slimlit.explain.records import Example, Explanation, Grade
from slimlit.explainer.asked import Asked, Wanted
from slimlit.explainer.labels import ask_classes, ask_tags
from slimlit.explainer.maps import answer_all
from slimlit.explainer.networks import Networks
from slimlit.explainer.one_word import check_word
from slimlit.explainer.texts import read_given, read_own
from slimlit.explainer.worst import ask_worst
from slimlit.explainer.writing import ask_continuations, ask_masks, ask_translations
from slimlit.models import Head, PreTrainedModel
from slimlit.models.tokenizers import special_ids
from slimlit.runs import Run
from slimlit.tasks.base import Task

QUICK = (FAST, "pooling-share")  # one backward pass; exact sums
DEFAULT = (*QUICK, SURE)  # and each word taken away, which costs a pass a word: for one text that is labelled
SURE_ALONE = frozenset(
    {"token_classification", "seq2seq_lm"}
)  # the fast one fails the exam there (docs/explanations.md)


def explain_run(
    run: Run,
    task: Task,
    data: Any,
    wanted: Wanted,
    names: Sequence[str],
    device: torch.device,
    grades: list[Grade] | None,
) -> Explanation:
    """Answers and reasons of a finished run's student.

    Args:
        run: finished.
        task: of the run, its student network the one it made.
        data: of the run, as it was trained on.
        wanted: which texts.
        names: of methods; none takes the default ones that fit.
        device: where to compute.
        grades: what the exam found of the methods; None where none was made.

    Raises:
        ValueError: texts or methods that are not as expected.
    """
    name, rows, notes = read_wanted(data, wanted, task)
    student, teacher = load_networks(task, data, device, notes)
    is_one = len(rows) == 1 and bool(data.labels)
    chosen = names or ((SURE,) if task.kind in SURE_ALONE else DEFAULT if is_one else QUICK)
    methods = chosen_methods(student, task, data, chosen, bool(names))
    is_sum = task.kind == "sequence_classification" and has_attention_pooling(student)
    networks = Networks(
        student, teacher, task.kind, data.tokenizer, data.labels, methods, is_sum, *_reader(data, methods)
    )
    asked = ask(student, task, data, name, rows, wanted)
    if wanted.word is not None:
        check_word(wanted.word, asked)
    if not asked:
        raise ValueError(
            "nothing to explain: " + ("no answer on these texts is wrong" if wanted.errors else "no text was found")
        )
    marks = {grade.method: grade.grade for grade in grades or ()}
    examples = [
        Example(one.name, one.words, _graded(answers, marks), attention, one.hidden, one.sides, one.note)
        for one, (answers, attention) in zip(asked, answer_all(networks, asked), strict=True)
    ]
    named = (
        None if teacher is None or task.teacher_network is None else (task.teacher_network.made_of() or ["a teacher"])
    )
    return Explanation(
        run.name, run.short_name, task.kind, examples, grades, None if named is None else " and ".join(named), notes
    )


def read_wanted(data: Any, wanted: Wanted, task: Task) -> tuple[str, list[int], list[str]]:
    """The split and rows wanted, and what to say of them; with ``errors`` all rows, of which some are chosen later.

    Raises:
        ValueError: this task has no such texts.
    """
    if wanted.text is not None or wanted.file is not None:
        name, rows = read_given(data, wanted)
    else:
        if task.kind in ("causal_lm", "masked_lm") and not wanted.errors:
            raise ValueError(
                f"--split takes texts that are answered, and a {type(task).__name__} writes\n"
                "explain texts: --text or --file; or the words of its own that it knows least: --errors"
            )
        name, rows = read_own(data, wanted.split or "test")
    notes = []
    if not wanted.errors and len(rows) > wanted.num_examples:
        notes.append(f"The first {wanted.num_examples} of {len(rows)} texts; --num_examples takes more.")
        rows = rows[: wanted.num_examples]
    return name, rows, notes


def load_networks(
    task: Task, data: Any, device: torch.device, notes: list[str], with_teacher: bool = True
) -> tuple[PreTrainedModel, PreTrainedModel | None]:
    """The run's student, and its teacher where there is one; where it cannot be built, a note says why."""
    head = Head(list(data.labels), task.kind)
    student = task.student_network.build(head).to(device).eval()
    if task.teacher_network is None or not with_teacher:
        return student, None
    try:
        teacher = task.teacher_network.build(head)
    except ValueError as problem:
        notes.append(f"The teacher is not laid beside: {str(problem).splitlines()[0]}")
        return student, None
    return student, teacher.to(device).eval()


def chosen_methods(
    student: PreTrainedModel, task: Task, data: Any, names: Sequence[str], strict: bool = True
) -> dict[str, Method]:
    """The methods of those names, or (not ``strict``) those of them that fit; ``all`` takes all that fit.

    Raises:
        ValueError: there is no such method, or it does not fit the network.
    """
    special = special_ids(data.tokenizer)
    fitting = methods_for(student, task.kind, data.tokenizer.mask_token_id, special)
    unknown = [name for name in names if name not in fitting and name != "all"]
    if unknown and strict:
        why = "does not fit this network" if unknown[0] in METHODS else "is no method"
        raise ValueError(f"--methods: {unknown[0]!r} {why}\nexpected all, or of: {', '.join(fitting)}")
    return fitting if "all" in names else {name: fitting[name] for name in names if name in fitting}


def ask(student: PreTrainedModel, task: Task, data: Any, name: str, rows: Sequence[int], wanted: Wanted) -> list[Asked]:
    """What is asked of those rows."""
    errors = wanted.num_examples if wanted.errors else None
    settings = cast(Mapping[str, Any], getattr(task, "generation", {}))
    if task.kind == "sequence_classification":
        return ask_classes(student, data, name, rows, errors)
    if task.kind == "token_classification":
        return ask_tags(student, data, name, rows, errors, wanted.word)
    if errors is not None and task.kind in ("causal_lm", "masked_lm"):
        return ask_worst(student, data, name, rows, errors, ahead=int(task.kind == "causal_lm"))
    if task.kind == "causal_lm":
        return ask_continuations(student, data, rows, settings, wanted.word)
    if task.kind == "seq2seq_lm":
        return ask_translations(student, data, name, rows, settings, wanted.word, errors)
    return ask_masks(student, data, rows)


def _reader(data: Any, methods: Mapping[str, Method]) -> tuple[dict[str, Method], int | None]:
    """The methods as they read the teacher, and its padding where it has other tokens than the student."""
    own = data.teacher_tokenizer
    if own is None:
        return dict(methods), None
    changed: dict[str, Method] = {
        "integrated-gradients": IntegratedGradients(own.mask_token_id, special_ids(own)),
        "leave-one-out": LeaveOneOut(own.mask_token_id),
    }
    return {name: changed.get(name, method) for name, method in methods.items()}, int(own.pad_token_id or 0)


def _graded(answers: Sequence[Any], marks: Mapping[str, str]) -> list[Any]:
    from dataclasses import replace

    return [
        replace(answer, maps=[replace(one, grade=marks.get(one.method)) for one in answer.maps]) for answer in answers
    ]
