"""The event loop: descriptors and named timers on epoll, nothing else.

asyncio would cost 11 MB for the same (docs/decisions/0303-an-event-loop-of-our-own.md). The
one rule that matters here: after a
late wake-up, whatever waits to be read is read before any timer runs, so that a server that
was frozen hears what the others said meanwhile before it believes them dead.
"""

import selectors
import time
from collections.abc import Callable
from typing import Protocol, TypeAlias

from stillup.heartbeat.lateness import Lateness

Callback: TypeAlias = Callable[[], None]
TimerCallback: TypeAlias = Callable[[float], None]

LATE_S = 0.005


class HasDescriptor(Protocol):
    """A socket, or anything else with a descriptor."""

    def fileno(self) -> int:
        """Return the descriptor."""
        ...


Descriptor: TypeAlias = int | HasDescriptor


def clock_s() -> float:
    """Return the seconds of ``CLOCK_BOOTTIME``, which also counts while suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Loop:
    """Waits for descriptors and for the nearest timer, and calls back."""

    def __init__(self) -> None:
        self.lateness = Lateness()
        self._selector = selectors.EpollSelector()
        self._timers: dict[str, tuple[float, TimerCallback]] = {}
        self._stopped = False

    def now_s(self) -> float:
        """Return the clock that all timers are set by."""
        return clock_s()

    def watch(
        self, what: Descriptor, readable: Callback | None, writable: Callback | None = None
    ) -> None:
        """Call back whenever ``what`` can be read, or written: whichever is given, or both."""
        events = (selectors.EVENT_READ if readable else 0) | (
            selectors.EVENT_WRITE if writable else 0
        )
        self._selector.register(what, events, (readable, writable))

    def unwatch(self, what: Descriptor) -> None:
        """Stop watching; must come before the descriptor is closed."""
        self._selector.unregister(what)

    def at(self, name: str, due_s: float | None, callback: TimerCallback) -> None:
        """Set the one timer called ``name``, in place of an earlier one; None unsets it."""
        if due_s is None:
            self._timers.pop(name, None)
        else:
            self._timers[name] = (due_s, callback)

    def stop(self) -> None:
        """Return from ``run``; nothing is called back any more, not even in this turn."""
        self._stopped = True

    def run(self) -> None:
        """Turn until stopped."""
        while not self._stopped:
            self.turn()

    def turn(self) -> None:
        """Wait for something to happen and deal with it."""
        due_s = min((due_s for due_s, _ in self._timers.values()), default=None)
        wait_s = None if due_s is None else max(0.0, due_s - clock_s())
        self._read(wait_s)
        now_s = clock_s()
        if due_s is not None and now_s >= due_s and not self._stopped:
            late_s = now_s - due_s
            self.lateness.add(late_s, now_s)
            if late_s > LATE_S:
                self._read(0)
            self._run_timers()

    def _read(self, wait_s: float | None) -> None:
        for key, events in self._selector.select(wait_s):
            readable, writable = key.data
            # An earlier callback of this turn may have closed this descriptor.
            if self._stopped or self._selector.get_map().get(key.fd) is not key:
                continue
            if events & selectors.EVENT_WRITE and writable is not None:
                writable()
            elif events & selectors.EVENT_READ and readable is not None:
                readable()

    def _run_timers(self) -> None:
        now_s = clock_s()
        due = [name for name, (due_s, _) in self._timers.items() if due_s <= now_s]
        for name in due:
            timer = self._timers.pop(name, None)
            if timer is not None and not self._stopped:
                timer[1](now_s)
