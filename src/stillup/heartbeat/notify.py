"""What systemd is told: ready, how it stands, still alive, about to end.

Source: sd_notify(3), systemd.service(5).
"""

import contextlib
import os
import select
import socket

from stillup.heartbeat.loop import Loop

BARRIER_S = 5.0
"""How long systemd may take to understand who is the main process."""


class Notify:
    """Speaks to the service manager, if there is one."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            )

    @property
    def is_heard(self) -> bool:
        """Whether there is a service manager."""
        return self._socket is not None

    def say(self, *lines: str) -> None:
        """Send e.g. ``READY=1``; lost if nobody takes it."""
        if self._socket is None:
            return
        with contextlib.suppress(OSError):
            self._socket.sendto("\n".join(lines).encode(), self._destination)

    @property
    def _destination(self) -> str:
        return "\0" + self._address[1:] if self._address.startswith("@") else self._address

    def hand_over(self, process: int) -> None:
        """Say that another process of this service is its main one from now on.

        Waits, for a while, until it is understood: systemd believes only the main process.
        """
        if self._socket is None:
            return
        self.say(f"MAINPID={process}")
        reader, writer = os.pipe2(os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            socket.send_fds(self._socket, [b"BARRIER=1"], [writer], address=self._destination)
        os.close(writer)
        select.select([reader], [], [], BARRIER_S)
        os.close(reader)

    def feed_watchdog(self, loop: Loop) -> None:
        """Say that the loop turns, again and again: in it, after what was due and waiting."""
        period_s = self.watchdog_s
        if period_s is not None:
            self.say("WATCHDOG=1")
            loop.at("watchdog", loop.now_s() + period_s, lambda _: self.feed_watchdog(loop))

    @property
    def watchdog_s(self) -> float | None:
        """How often to say ``WATCHDOG=1``: a third of what systemd waits; None for never."""
        microseconds = os.environ.get("WATCHDOG_USEC", "")
        process = os.environ.get("WATCHDOG_PID", "")
        if not microseconds.isdigit() or (process and process != str(os.getpid())):
            return None
        return int(microseconds) / 3_000_000
