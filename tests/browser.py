"""A headless Chromium that looks at a page: a screenshot, what it fetched, and what is cut, empty, pale or nameless.

Nothing needs to be installed but the browser. The fixture ``browser`` of ``conftest.py`` gives one for the whole
session and skips where there is none::

    def test_the_page_is_whole(browser: Browser, tmp_path: Path) -> None:
        for look in browser.looks(tmp_path / "page.html"):  # wide and narrow, light and dark
            assert look.problems == []

To look with your own eyes: ``python -m tests.browser PAGE FOLDER`` writes the screenshots and prints the problems.
"""

import base64
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.devtools import DevTools

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WIDE, NARROW = 1280, 390
_PROBES = Path(__file__).with_name("browser_probes.js")


def find_browser() -> str | None:
    """The path of a Chromium that is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass(frozen=True)
class Look:
    """One look at a page."""

    width: int
    dark: bool
    picture: bytes
    """The whole page as PNG."""
    fetched: list[str]
    """Addresses asked for, the page's own left out."""
    problems: list[str]
    """What is wrong, in words: cut, empty, fetched, refused, pale, nameless; none of a good page."""
    text: str
    """What can be read on the page."""


class Browser:
    """A browser with one window; close it, or use it in a ``with``."""

    def __init__(self, command: str | None = None) -> None:
        command = command or find_browser()
        if command is None:
            raise FileNotFoundError(f"no browser is installed; looked for {', '.join(NAMES)}")
        self.tools = DevTools(command)
        self._address = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser."""
        self.tools.close()

    def open(self, page: Path | str, *, width: int = WIDE, dark: bool = False, height: int = 900) -> None:
        """Open a page (a file or an address) in a window of that width and wait until it is loaded."""
        self._address = address = page.resolve().as_uri() if isinstance(page, Path) else page
        self.tools.call("Page.navigate", url="about:blank")
        self.tools.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.tools.call("Emulation.setEmulatedMedia", features=[scheme])
        self._wait_for_load()
        self.tools.events.clear()
        self.tools.call("Page.navigate", url=address)
        self._wait_for_load()

    def _wait_for_load(self) -> None:
        limit = time.monotonic() + 30.0
        while self.run("document.readyState") != "complete":
            if time.monotonic() > limit:
                raise TimeoutError("the page was not loaded in 30 seconds")
            time.sleep(0.01)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page; what the page forbids itself does not bind it."""
        answer = self.tools.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key as a reader without a mouse does: ``Tab``, ``Enter``, ``ArrowDown``, ``Escape``, a letter."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36}
        codes |= {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        code = codes.get(key) or ord(key.upper())
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        common = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.tools.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.tools.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def picture(self) -> bytes:
        """The whole page as PNG, as long as it is (16,000 pixels at most)."""
        size = self.tools.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(16000, size["height"]), "scale": 1}
        return base64.b64decode(
            self.tools.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"]
        )

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self.tools.call("Page.printToPDF", printBackground=True)["data"])

    def look(self, page: Path | str, *, width: int = WIDE, dark: bool = False) -> Look:
        """Open a page and say what is wrong with it."""
        self.open(page, width=width, dark=dark)
        found: dict[str, Any] = self.run(f"({_PROBES.read_text(encoding='utf-8')})()")
        picture = self.picture()  # after it nothing is on its way any more
        fetched, problems = self._heard()
        return Look(width, dark, picture, fetched, [*problems, *found["problems"]], found["text"])

    def looks(self, page: Path | str) -> Iterator[Look]:
        """Four looks at a page: in a wide and in a narrow window, light and dark."""
        for width in (WIDE, NARROW):
            for dark in (False, True):
                yield self.look(page, width=width, dark=dark)

    def _heard(self) -> tuple[list[str], list[str]]:
        fetched, problems = list[str](), list[str]()
        for event in self.tools.events:
            heard = event.get("params", {})
            match event.get("method"):
                case "Network.requestWillBeSent" if heard["request"]["url"] != self._address:
                    fetched.append(heard["request"]["url"])
                case "Log.entryAdded" if heard["entry"]["level"] in ("error", "warning"):
                    problems.append(f"the browser says: {heard['entry']['text']}")
                case "Runtime.exceptionThrown":
                    thrown = heard["exceptionDetails"]
                    problems.append(
                        f"a script failed: {thrown.get('exception', thrown).get('description', thrown['text'])}"
                    )
                case "Runtime.consoleAPICalled" if heard["type"] in ("error", "warning", "assert"):
                    problems.append(f"a script says: {[part.get('value') for part in heard['args']]}")
        away = [address for address in fetched if not address.startswith("data:")]
        return away, [*(f"fetches {address}" for address in away), *problems]


def main(page: str, folder: str) -> None:
    """Write the four screenshots of a page into a folder and print what is wrong."""
    with Browser() as browser:
        for look in browser.looks(page if "://" in page else Path(page)):
            name = f"{'wide' if look.width == WIDE else 'narrow'}-{'dark' if look.dark else 'light'}.png"
            Path(folder).mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).write_bytes(look.picture)
            print(name, *(look.problems or ["nothing wrong"]), sep="\n    ")


if __name__ == "__main__":
    main(*sys.argv[1:])
