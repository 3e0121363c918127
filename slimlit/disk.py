"""What ends a write early: a disk that is full, told in a line, and SIGTERM, after which what was begun is cleared away."""

import errno
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SAID = (  # safetensors, onnx, openvino and torch have errors of their own
    "No space left on device",
    "File too large",
    "Disk quota exceeded",
    "PytorchStreamWriter failed writing",
    "unexpected pos ",  # torch.save, of a file that it could not write whole
)


def is_full(problem: BaseException) -> bool:
    """Whether a file could not be written whole: no space, no quota, or a limit of file sizes (``ulimit -f``)."""
    if isinstance(problem, OSError):
        return problem.errno in _FULL
    return any(words in str(problem) for words in _SAID)


def no_room(place: object, said: object) -> str:
    """The line that tells it: of the place, where it is known, and what was said of it."""
    return f"no room on the disk{f' for {place}' if place else ''}: {str(said).splitlines()[0]}"


@contextmanager
def ended_by_sigterm(at_once: bool = False) -> Iterator[None]:
    """Let SIGTERM end the block with status 143, and what cleans up after it run; where another handler takes over, as in a fit, it decides.

    Args:
        at_once: also where Lightning's handler has taken over, which in a prediction stops nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set what a signal does
        return

    def end(number: int, frame: Any) -> None:
        # where Lightning has taken over it calls this too, and stops after the step by itself
        if at_once or signal.getsignal(signal.SIGTERM) is end:
            sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
