"""What keeps this process from being late: memory that stays, and a place in the queue."""

import contextlib
import ctypes
import gc
import os
from dataclasses import dataclass
from pathlib import Path

_CURRENT, _FUTURE, _ON_FAULT = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Granted:
    """What was granted.

    Args:
        locked: Whether memory stays in memory.
        scheduling: ``rr`` if real-time scheduling was granted, else ``other``.
    """

    locked: bool
    scheduling: str


def settle() -> Granted:
    """Keep memory from being swapped out, and run before ordinary processes where allowed.

    What importing has left over goes back to the system (about 4 MB), and what is left is
    taken out of the garbage collector's rounds. Pages are locked as they are touched
    (``MCL_ONFAULT``): locking all that is mapped would cost twice the memory.
    """
    library = ctypes.CDLL(None)
    gc.collect()
    library.malloc_trim(0)
    gc.freeze()
    library.mlockall(_CURRENT | _FUTURE | _ON_FAULT)
    _ask_for_real_time()
    return standing()


def standing() -> Granted:
    """Return what this process was granted."""
    policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
    status = Path("/proc/self/status").read_text()
    locked = any(
        line.startswith("VmLck:") and line.split()[1] != "0" for line in status.splitlines()
    )
    return Granted(locked, "rr" if policy == os.SCHED_RR else "other")


def _ask_for_real_time() -> None:
    """Ask for the lowest real-time priority: above all ordinary work, below the kernel's."""
    least = os.sched_get_priority_min(os.SCHED_RR)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(least))
