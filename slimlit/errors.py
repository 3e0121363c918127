"""Short errors: what came, from which file and line, what was expected, and the nearest valid word."""

import os
import re
import signal
import sys
import sysconfig
from argparse import ArgumentError
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.exceptions import SIGTERMException

from slimlit.disk import is_full, no_room
from slimlit.faults import find_fault
from slimlit.settings import Setting, missing_file, read_command_line

MAX_LINES = 6
_OURS = str(Path(__file__).resolve().parent)
_OTHERS = tuple({str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "purelib", "platlib")})


@dataclass
class Outcome:
    """How a command ended: the exit status."""

    status: int = 0


@contextmanager
def shortly(arguments: list[str]) -> Iterator[Outcome]:
    """Turn a user's mistake, or a full disk, into at most six lines and status 2; a bug keeps its traceback; SIGTERM is told, and ends with status 143.

    ``SLIMLIT_TRACEBACK=1`` shows the traceback of both.
    """
    outcome = Outcome()
    try:
        yield outcome
    except SystemExit as stop:
        if isinstance(stop, SIGTERMException):  # Lightning stopped after a batch and kept what was done
            outcome.status = 128 + signal.SIGTERM
        else:
            outcome.status = stop.code if isinstance(stop.code, int) else int(isinstance(stop.code, str))
        if outcome.status == 128 + signal.SIGTERM:
            print("terminated", file=sys.stderr)
    except Exception as problem:
        cause = _unwrap(problem)
        if os.environ.get("SLIMLIT_TRACEBACK") or not _is_mistake(cause):
            raise cause from (problem.__cause__ if cause is problem else None)
        if os.environ.get("LOCAL_RANK", "0") == "0":  # the other processes meet the same mistake
            print(f"error: {explain(cause, arguments)}", file=sys.stderr)
        outcome.status = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        outcome.status = 1


def explain(problem: Exception, arguments: list[str]) -> str:
    """A mistake, or a full disk, in at most six lines."""
    lines = _explain(problem, arguments).splitlines()
    return "\n".join(line[:300] for line in lines[:MAX_LINES])


def _explain(problem: Exception, arguments: list[str]) -> str:
    if is_full(problem) and not isinstance(problem, ValueError):
        return f"{no_room(getattr(problem, 'filename', None), problem)}\nmake room, and try again"
    if isinstance(problem, FileNotFoundError) and problem.filename is not None:
        return missing_file(str(problem.filename))
    settings = read_command_line(arguments[1:])
    if isinstance(problem, ArgumentError):
        return find_fault(settings, arguments[0]) or _innermost(str(problem))
    place = _place_of(problem, settings)
    return f"{place}: {problem}" if place else str(problem)


def _unwrap(problem: Exception) -> Exception:
    """The exception behind those that jsonargparse makes of it."""
    while isinstance(problem.__cause__, Exception) and "jsonargparse" in _raised_in(problem):
        if isinstance(problem, ArgumentError):
            break
        problem = problem.__cause__
    return problem


def _is_mistake(problem: Exception) -> bool:
    if isinstance(problem, ArgumentError | MisconfigurationException | FileNotFoundError) or is_full(problem):
        return True
    place = _raised_in(problem)
    ours = place.startswith(_OURS) or not place.startswith(_OTHERS)  # or the user's own class
    return isinstance(problem, ValueError | ImportError) and ours


def _frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _raised_in(problem: Exception) -> str:
    files = [trace.tb_frame.f_code.co_filename for trace in _frames(problem.__traceback__)]
    return str(Path(files[-1]).resolve()) if files else ""


def _place_of(problem: Exception, settings: Setting) -> str | None:
    """The line that set what the message speaks of, in the settings of the object that raised it."""
    message = str(problem)
    words = [part for word in re.findall(r"[\w./-]+", message) for part in (word, *word.split("."))]
    for trace in reversed(list(_frames(problem.__traceback__))):
        owner = trace.tb_frame.f_locals.get("self")
        for setting in _settings_of(type(owner).__name__, settings):
            children = setting.value.get("init_args", Setting({}, setting.place)).value
            return _named_in(words, children) or setting.place
    group = settings.value.get(message.partition(".")[0].partition(":")[0])
    return None if group is None else _named_in(words, group.value) or group.place


def _named_in(words: list[str], children: Any) -> str | None:
    """The place of the first setting whose name or value is among the words, in the words' order."""
    if isinstance(children, dict):
        for word in words:
            for key, child in children.items():
                if word == key or word == child.value:
                    return str(child.place)
    return None


def _settings_of(name: str, setting: Setting) -> Iterator[Setting]:
    if setting.class_path and setting.class_path.rsplit(".", 1)[-1] == name:
        yield setting
    children = (
        setting.value.values()
        if isinstance(setting.value, dict)
        else setting.value
        if isinstance(setting.value, list)
        else []
    )
    for child in children:
        yield from _settings_of(name, child)


def _innermost(message: str) -> str:
    """What jsonargparse means: the deepest line that says what is wrong."""
    lines = [
        line for line in message.splitlines() if line.strip() and "Given value" not in line and "NoneType" not in line
    ]
    deepest = max(lines, key=lambda line: len(line) - len(line.lstrip()), default=message)
    return deepest.strip(" -")
