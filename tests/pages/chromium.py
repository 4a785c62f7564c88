"""A headless Chromium for tests: opens a page, asks it, takes pictures of it.

Spoken to by the DevTools protocol over two pipes, so that no port is opened and no library is needed.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
"""Debian's package chromium; None where it is not."""

Answer = dict[str, object]

_AS_3_AND_4 = """
import fcntl, os, sys
# Out of the way first: either may be 3 or 4 already.
reading, writing = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(reading, 3)
os.dup2(writing, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""The browser reads 3 and writes 4; between fork and exec nothing of ours may run."""


class PageFailed(Exception):
    """The page's program threw an error, or the browser refused what it was asked."""


class Tab:
    """One page. All calls wait for their answer; what the page complains of is kept in ``complaints``."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to_browser = to_browser
        self._from_browser = from_browser
        self._pending = bytearray()
        self._number = 0
        self._session = ""
        self.complaints: list[str] = []
        """Errors and warnings on its console, exceptions, what its policy blocked."""
        self.asked: list[str] = []
        """Every address that it asked for."""

    def open(self, page: Path, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Open a file, in a tab of its own, and wait until it is loaded and drawn."""
        self._session = ""
        target = cast("str", self.ask("Target.createTarget", url="about:blank")["targetId"])
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session = cast("str", session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.size(width, height)
        self.ask("Page.navigate", url=page.as_uri())
        self._until("Page.loadEventFired")
        self.settle()

    def size(self, width: int, height: int) -> None:
        """Make the window so large, in CSS pixels."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def settle(self) -> None:
        """Wait until what is visible now has been drawn: observers are told between two frames."""
        frame = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        for _ in range(2):
            self.value(f"{frame}.then(() => 0)")

    def value(self, expression: str) -> object:
        """Return what an expression (or the promise it is) gives in the page."""
        answer = self.ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise PageFailed(json.dumps(answer["exceptionDetails"]))
        return cast("Answer", answer["result"]).get("value")

    def picture(self, to: Path, *, whole: bool = False) -> None:
        """Save the window, or the whole page, as PNG."""
        answer = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
        to.write_bytes(base64.b64decode(cast("str", answer["data"])))

    def pdf(self, to: Path) -> None:
        """Print it to a file."""
        answer = self.ask(
            "Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.7
        )
        to.write_bytes(base64.b64decode(cast("str", answer["data"])))

    def ask(self, method: str, **settings: object) -> Answer:
        """Send one command and return its answer."""
        self._number += 1
        message: Answer = {"id": self._number, "method": method, "params": settings}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to_browser, json.dumps(message).encode() + b"\0")
        while (answer := self._heard()).get("id") != self._number:
            pass
        if "error" in answer:
            raise PageFailed(f"{method}: {answer['error']}")
        return cast("Answer", answer["result"])

    def close(self) -> None:
        """Hang up, which ends the browser."""
        os.close(self._to_browser)
        os.close(self._from_browser)

    def _until(self, event: str) -> None:
        while self._heard().get("method") != event:
            pass

    def _heard(self) -> Answer:
        while (end := self._pending.find(0)) < 0:
            read = os.read(self._from_browser, 1 << 16)
            if not read:
                raise PageFailed("Chromium has ended")
            self._pending += read
        message = self._pending[:end]
        del self._pending[: end + 1]
        heard = cast("Answer", json.loads(message))
        self._noted(heard)
        return heard

    def _noted(self, heard: Answer) -> None:
        details = cast("Mapping[str, Mapping[str, object]]", heard.get("params", {}))
        match heard.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(details["exceptionDetails"]))
            case "Log.entryAdded" if details["entry"]["level"] in ("error", "warning"):
                self.complaints.append(str(details["entry"]["text"]))
            case "Network.requestWillBeSent":
                self.asked.append(str(details["request"]["url"]))
            case _:
                pass


@contextmanager
def browser() -> Iterator[Tab]:
    """Start Chromium, with a profile of its own that goes with it.

    Raises:
        PageFailed: If it is not there or does not start.
    """
    if PROGRAM is None:
        raise PageFailed("Chromium is not installed")
    theirs_in, to_browser = os.pipe()
    from_browser, theirs_out = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            PROGRAM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ]
        command += ["--hide-scrollbars", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            [sys.executable, "-c", _AS_3_AND_4, str(theirs_in), str(theirs_out), *command],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        tab = Tab(to_browser, from_browser)
        try:
            yield tab
        finally:
            tab.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
