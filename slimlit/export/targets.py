"""The targets of an export: what each needs, which networks it takes, and what writes it."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from slimlit.export.extras import need
from slimlit.export.sample import Sample
from slimlit.models import PreTrainedModel
from slimlit.models.network import Kind

PRECISIONS = ("fp32", "int8")


@dataclass(frozen=True)
class Order:
    """One export to be written: of what, from where, to where, how.

    Args:
        network: to write, in eval mode, its weights plain.
        original: the student as it is, in eval mode, which the export is held against; the same where its weights are plain.
        student: the folder it was read from.
        sample: the texts it will be checked on; a graph is traced with inputs of the same names.
        kind: of its answer.
        is_int8: whether its weights leave as int8.
        folder: to write into.
        max_length: tokens of a text, at most.
    """

    network: PreTrainedModel
    original: PreTrainedModel
    student: Path
    sample: Sample
    kind: Kind
    is_int8: bool
    folder: Path
    max_length: int


@dataclass(frozen=True)
class Target:
    """What a target needs and takes.

    Args:
        write: writes an order and gives back the names of what the export answers.
        extra: of slimlit, that brings its packages.
        packages: it cannot do without.
        precisions: it is written in.
        kinds: of networks it takes.
        example: the program that travels with it.
        writers: that of networks that write, where it is another.
    """

    write: Callable[[Order], list[str]]
    extra: str
    packages: tuple[str, ...]
    precisions: tuple[str, ...]
    kinds: tuple[Kind, ...]
    example: str
    writers: Mapping[Kind, str] = field(default_factory=dict)

    def example_for(self, kind: Kind) -> str:
        """The program that travels with such a network."""
        return self.writers.get(kind, self.example)


def _hub(order: Order) -> list[str]:
    from slimlit.export.hub_folder import write_hub
    from slimlit.export.tracing import outputs_of

    write_hub(order.network, order.student, order.folder)
    return outputs_of(order.network)


def _onnx(order: Order) -> list[str]:
    if order.kind == "causal_lm":
        from slimlit.export.generator_file import write_generator

        return write_generator(order.network, order.sample, order.folder, order.is_int8)
    if order.kind == "seq2seq_lm":
        from slimlit.export.translator_file import write_translator

        return write_translator(order.network, order.sample, order.folder, order.is_int8)
    from slimlit.export.onnx_file import write_onnx

    return write_onnx(order.network, order.sample, order.folder, order.is_int8)


def _openvino(order: Order) -> list[str]:
    from slimlit.export.openvino_file import write_openvino, write_openvino_writer

    if order.kind in _WRITERS:
        return write_openvino_writer(order.network, order.kind, order.sample, order.folder, order.is_int8)
    return write_openvino(order.network, order.sample, order.folder, order.is_int8)


def _executorch(order: Order) -> list[str]:
    if order.kind == "causal_lm":
        from slimlit.export.phone_writer_file import write_phone_writer

        return write_phone_writer(order.network, order.folder, order.is_int8, order.max_length)
    from slimlit.export.executorch_file import write_executorch

    return write_executorch(order.network, order.sample, order.folder, order.is_int8, order.max_length)


def _gguf(order: Order) -> list[str]:
    from slimlit.export.gguf_file import write_gguf

    return write_gguf(order.network, order.student, order.folder, order.is_int8)


_READERS: tuple[Kind, ...] = ("sequence_classification", "token_classification", "masked_lm")
_WRITERS: tuple[Kind, ...] = ("causal_lm", "seq2seq_lm")

_WRITING: Mapping[Kind, str] = {"causal_lm": "writer_example.py", "seq2seq_lm": "translator_example.py"}
_PHONE: Mapping[Kind, str] = {"causal_lm": "phone_writer_example.py"}
_EXAMPLE = "reader_example.py"

TARGETS = {
    "hub": Target(_hub, "", (), ("fp32",), (*_READERS, *_WRITERS), "hub_example.py"),
    "onnx": Target(
        _onnx, "onnx", ("onnx", "onnxscript", "onnxruntime"), PRECISIONS, (*_READERS, *_WRITERS), _EXAMPLE, _WRITING
    ),
    "openvino": Target(
        _openvino, "openvino", ("openvino", "nncf"), PRECISIONS, (*_READERS, *_WRITERS), _EXAMPLE, _WRITING
    ),
    "executorch": Target(
        _executorch, "executorch", ("executorch", "torchao"), PRECISIONS, (*_READERS, "causal_lm"), _EXAMPLE, _PHONE
    ),
    "gguf": Target(_gguf, "gguf", ("gguf",), PRECISIONS, ("causal_lm",), "gguf_example.py"),
}


def find_target(name: str, precision: str, kind: Kind) -> Target:
    """The target of that name, with all it needs there.

    Raises:
        ValueError: there is none, it has no such precision, it takes no such network, or a package is missing.
    """
    if name not in TARGETS:
        near = difflib.get_close_matches(name, TARGETS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        said = f"no target {name!r}" if name else "export needs a target"
        raise ValueError(f"{said}\n{hint}there are: --to {' | '.join(TARGETS)}")
    target = TARGETS[name]
    if precision not in target.precisions:
        raise ValueError(f"{name} is not written in {precision}\nexpected --precision {' or '.join(target.precisions)}")
    if kind not in target.kinds:
        able = [other for other, one in TARGETS.items() if kind in one.kinds]
        raise ValueError(f"{name} takes no network that does {kind}\nit can leave as: --to {' | '.join(able)}")
    need(target.extra, *target.packages)
    return target
