"""What keeps this process from being late: memory that stays, and a place in the queue."""

import contextlib
import ctypes
import gc
import os
from dataclasses import dataclass

_CURRENT, _FUTURE, _ON_FAULT = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Standing:
    """What was granted.

    Args:
        locked: Whether memory stays in memory.
        scheduling: ``rr`` if real-time scheduling was granted, else ``other``.
    """

    locked: bool
    scheduling: str


def settle() -> Standing:
    """Keep memory from being swapped out, and run before ordinary processes where allowed.

    Pages are locked as they are touched (``MCL_ONFAULT``): locking all that is mapped would
    triple the memory. What exists by now is taken out of the garbage collector's rounds.
    """
    gc.collect()
    gc.freeze()
    return Standing(_lock_memory(), _real_time())


def _lock_memory() -> bool:
    library = ctypes.CDLL(None, use_errno=True)
    return bool(library.mlockall(_CURRENT | _FUTURE | _ON_FAULT) == 0)


def _real_time() -> str:
    """Ask for the lowest real-time priority: above all ordinary work, below the kernel's."""
    least = os.sched_get_priority_min(os.SCHED_RR)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(least))
        return "rr"
    return "other"
