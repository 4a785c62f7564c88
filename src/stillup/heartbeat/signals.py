"""Signals as something to read, so that they are handled in the loop and nowhere else."""

import signal
import socket
from collections.abc import Callable

from stillup.heartbeat.loop import Loop

_SEVERAL = 16


class Signals:
    """Calls back with the numbers that came.

    Args:
        loop: Where they are handled.
        numbers: Which to catch.
        on_signals: Called with those that came since it was last called.
    """

    def __init__(
        self, loop: Loop, numbers: set[signal.Signals], on_signals: Callable[[set[int]], None]
    ) -> None:
        ours, pythons = socket.socketpair(type=socket.SOCK_STREAM)
        for end in (ours, pythons):
            end.settimeout(0)
        signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, lambda *_: None)
        self._ends = (ours, pythons)
        loop.watch(ours, lambda: on_signals(set(ours.recv(_SEVERAL))))
