"""``each``: a function over many tasks in several processes, with few tasks waiting, and none left behind by a killed parent."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import connection, get_context, parent_process
from typing import Any, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def each(function: Callable[[Task], Result], tasks: Iterable[Task], num_processes: int) -> Iterator[Result]:
    """The function's result for each task, in the order of the tasks.

    Guarantees:
        - at most two tasks a process are held at once;
        - a worker whose parent was killed ends too.
    """
    if num_processes == 1:
        yield from map(function, tasks)
        return
    waiting: deque[Future[Result]] = deque()
    with ProcessPoolExecutor(num_processes, get_context("spawn"), _start_worker, (function,)) as pool:
        try:
            for task in tasks:
                waiting.append(pool.submit(_work, task))
                if len(waiting) >= 2 * num_processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


_function: Any = None  # of this worker; sent once, not with each task


def _start_worker(function: Any) -> None:
    global _function
    _function = function
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _work(task: Any) -> Any:
    return _function(task)
