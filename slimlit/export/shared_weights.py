"""``share_weights``: what two ONNX graphs both hold is stored once, in a file beside them."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import onnx_ir as ir

LEAST_BYTES = 2**12  # smaller weights stay in their graphs: nothing is saved
_PAGE = 2**12  # a weight begins where a page of memory does, so that a runtime can map it


def share_weights(programs: Iterable[ir.Model], path: Path) -> None:
    """Write the weights that several graphs hold, to the bit, into one file, and let the graphs, saved beside it, name it.

    No file is written where they share nothing.
    """
    weights = [
        (value, found)
        for program in programs
        for value in program.graph.initializers.values()
        if (found := _name_of(value)) is not None
    ]
    number = Counter(found for _, found in weights)
    places: dict[str, int] = {}
    content = bytearray()
    for value, found in weights:
        stored = value.const_value
        if number[found] < 2 or stored is None:
            continue
        if found not in places:
            content += bytes(-len(content) % _PAGE)
            places[found] = len(content)
            content += stored.tobytes()
        value.const_value = ir.ExternalTensor(
            path.name, places[found], stored.nbytes, stored.dtype, shape=ir.Shape(stored.shape.numpy()), name=str(value.name), base_dir=path.parent
        )  # fmt: skip
    if content:
        path.write_bytes(content)


def _name_of(value: ir.Value) -> str | None:
    """Type, shape and the digest of what is in a weight that is large enough to be shared."""
    stored = value.const_value
    if stored is None or stored.nbytes < LEAST_BYTES:
        return None
    return f"{stored.dtype} {stored.shape} {hashlib.sha256(stored.tobytes()).hexdigest()}"
