"""Asks the kernel to run this process before others: who is late has measured itself."""

import contextlib
import os
from pathlib import Path

_NICE = -10
_GROUP = Path("/proc/self/autogroup")


def preferred() -> None:
    """Have this process preferred, if that is allowed.

    Where the kernel shares the processors out by session (autogroup, see sched(7)) a process's own
    niceness counts among the processes of its session only, so that of the session is set as well.
    """
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(OSError):
        _GROUP.write_text(str(_NICE))
