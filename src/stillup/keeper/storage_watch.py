"""Looks at the mounted storage every second, by a process that may hang in its stead."""

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from stillup.keeper.storage_mount import (
    GIVEN_UP_S,
    HANGS_S,
    STATE,
    UNIT,
    SharedSettings,
    look,
)

EVERY_S = 1.0
MOST_BYTES = 4096


@dataclass(slots=True)
class _Looker:
    """A process that looks when it is asked."""

    process: int
    ask: int
    answer: int

    def end(self) -> None:
        os.close(self.ask)
        os.close(self.answer)


def run(settings: SharedSettings) -> None:
    """Watch, for ever."""
    Path(STATE).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    said = "?"
    looker = _begin(settings.mount)
    while True:
        began_s = time.monotonic()
        os.write(looker.ask, b"?")
        told = _heard(looker, HANGS_S)
        while told is None and time.monotonic() < began_s + GIVEN_UP_S:
            said = _tell(said, f"{settings.mount} hangs")
            told = _heard(looker, EVERY_S)
        if told is None:
            _mount_anew(settings)
            looker.end()
            looker = _begin(settings.mount)
            continue
        said = _tell(said, told)
        time.sleep(max(0.0, began_s + EVERY_S - time.monotonic()))


def _begin(mount: str) -> _Looker:
    asked, ask = os.pipe2(os.O_CLOEXEC)
    answer, answering = os.pipe2(os.O_CLOEXEC)
    # systemd ends it with this service; one that hangs ends with what it hangs on.
    process = os.fork()
    if process == 0:
        os.close(ask)
        os.close(answer)
        while os.read(asked, 1):
            os.write(answering, (look(mount) or "well").encode()[:MOST_BYTES])
        os._exit(0)
    os.close(asked)
    os.close(answering)
    return _Looker(process, ask, answer)


def _heard(looker: _Looker, within_s: float) -> str | None:
    """Return why it is not well, "" if it is; None if there was no answer in time."""
    until_s = time.monotonic() + within_s
    while (left_s := until_s - time.monotonic()) > 0:
        ready, _, _ = select.select([looker.answer], [], [], min(left_s, EVERY_S))
        if ready:
            told = os.read(looker.answer, MOST_BYTES).decode(errors="replace")
            return "" if told == "well" else told or "the process that looks has ended"
    return None


def _mount_anew(settings: SharedSettings) -> None:
    if settings.servers:
        subprocess.run(["systemctl", "kill", "--signal=KILL", UNIT], check=False, timeout=30)


def _tell(said: str, why: str) -> str:
    """Write what was seen; log it when it is another thing than before."""
    beside = Path(f"{STATE}.new")
    beside.write_text(json.dumps({"well": not why, "why": why}))
    beside.chmod(0o644)
    beside.replace(STATE)
    if why != said:
        sys.stderr.write(f"shared storage {why or 'well'}\n")
    return why
