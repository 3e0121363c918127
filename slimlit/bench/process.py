"""``Process``: a contestant's own process, asked a request at a time."""

import json
import os
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import Any

from slimlit.bench.contestants import Contestant


class Process:
    """Starts the process of a contestant, which ends with the block.

    Raises:
        ValueError: it cannot load the contestant, or dies; with its last words.
    """

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 # closed by __exit__
        command = [sys.executable, "-m", "slimlit.bench.child", contestant.text()]
        environment = {"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false", **os.environ}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment
        )

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if problem is not None:
            self._process.kill()
        self._process.communicate()
        self._errors.close()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Its answer to a request."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has died; what it said last is told below
        return self.reply()

    def reply(self) -> dict[str, Any]:
        """What it says next; the first time, that it has loaded the contestant."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            said = [line.strip() for line in self._errors if line.strip()][-1:]
            raise ValueError(said[0][:300] if said else f"its process ended with status {self._process.returncode}")
        found: dict[str, Any] = json.loads(line)
        return found
