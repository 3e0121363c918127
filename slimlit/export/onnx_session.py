"""``open_session``: an ONNX file in ONNX Runtime on the CPU, with so many threads and no chatter."""

from pathlib import Path
from typing import TYPE_CHECKING

from slimlit.export.extras import need

if TYPE_CHECKING:
    import onnxruntime


def open_session(path: Path, num_threads: int) -> "onnxruntime.InferenceSession":
    """A file, ready to be asked.

    Raises:
        ValueError: ONNX Runtime is missing.
    """
    need("onnx", "onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = num_threads, 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
