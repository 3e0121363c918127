"""``DevTools``: a headless Chromium without a network, spoken to over a pipe in its own protocol (JSON between zero bytes)."""

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from typing import Any

_FLAGS = """
--headless=new --remote-debugging-pipe --no-sandbox --disable-gpu --no-first-run --hide-scrollbars --mute-audio
--disable-dev-shm-usage --disable-extensions --disable-background-networking --disable-component-update
--disable-sync --disable-default-apps --disable-breakpad --no-proxy-server
"""


class DevTools:
    """A browser's process and the line to it; what it reports unasked is kept in ``events``."""

    def __init__(self, command: str) -> None:
        self._profile = tempfile.mkdtemp(prefix="browser-")
        theirs_in, ours_out = _pipe()
        ours_in, theirs_out = _pipe()
        self._in, self._out, self._rest = ours_in, ours_out, b""
        null = os.open(os.devnull, os.O_RDWR)
        rules = ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={self._profile}", "about:blank"]
        self._process = os.posix_spawn(
            command,
            [command, *_FLAGS.split(), *rules],
            {**os.environ, "HOME": self._profile},
            file_actions=[
                *((os.POSIX_SPAWN_DUP2, null, end) for end in (0, 1, 2)),
                (os.POSIX_SPAWN_DUP2, theirs_in, 3),
                (os.POSIX_SPAWN_DUP2, theirs_out, 4),
            ],
            setsid=True,
        )
        for end in (theirs_in, theirs_out, null):
            os.close(end)
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """End the browser and remove what it kept."""
        for end in (self._in, self._out):
            os.close(end)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read(60.0)
            if answer.get("id") != self._number:
                self.events.append(answer)
            elif "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']['message']}")
            else:
                return dict(answer["result"])

    def _read(self, seconds: float) -> dict[str, Any]:
        limit = time.monotonic() + seconds
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(0.0, limit - time.monotonic()))[0]:
                raise TimeoutError(f"the browser said nothing for {seconds:g} seconds")
            read = os.read(self._in, 1 << 20)
            if not read:
                raise ConnectionError("the browser has ended")
            self._rest += read
        message, self._rest = self._rest.split(b"\0", 1)
        return dict(json.loads(message))


def _pipe() -> tuple[int, int]:
    """A pipe whose ends have numbers that are free for the browser's own (3 and 4)."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]
