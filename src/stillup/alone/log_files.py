"""Writes the log to files as well, for those who look there: by a process of its own.

The daemon must never wait for a disk, so what it says goes through a pipe, which is not waited for
either: when it is full, lines are dropped and counted (``journal.py``). The writer ends when the
last one who could say something does.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

PIECE = 65_536
VARIABLE = "STILLUP_HEARTBEAT_LOGS"
"""Tells a daemon that takes the place of another one in place that what it says is written."""

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


def write_to(files: tuple[str, ...]) -> None:
    """From now on, have what this process says on standard error written to ``files`` too.

    To be called before there are threads or sockets, as it forks. A successor of this process
    inherits the pipe, and goes on saying to the same writer.

    Raises:
        OSError: If a file cannot be made or written.
    """
    if os.environ.get(VARIABLE) == ":".join(files):
        return
    for file in files:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, _APPEND, 0o640))
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(writer)
        _copy(reader, files)
        os._exit(0)
    os.close(reader)
    os.set_blocking(writer, False)
    os.dup2(writer, 2)
    os.close(writer)
    os.environ[VARIABLE] = ":".join(files)


def _copy(reader: int, files: tuple[str, ...]) -> None:
    """Copy what comes to standard error and to the files until nobody is left to say anything."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while piece := os.read(reader, PIECE):
        with suppress(OSError):
            os.write(2, piece)
        for file in files:
            # Opened anew each time, so that a file that was turned by its name is let go.
            with suppress(OSError):
                opened = os.open(file, _APPEND, 0o640)
                os.write(opened, piece)
                os.close(opened)
