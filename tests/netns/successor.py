"""A daemon that another has started in its place: a process that is no child of ours."""

import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol


class Process(Protocol):
    """What a farm wants of the processes it has started."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Return None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""

    def kill(self) -> None:
        """End it whatever its state."""

    def terminate(self) -> None:
        """Ask it to end."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal."""


class Successor:
    """Such a process, by its number.

    Args:
        pid: The number.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """Return None while it runs, else 0: how it ended is its parent's to know."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: If it still runs.
        """
        with _descriptor(self.pid) as descriptor:
            if descriptor is not None and not select.select([descriptor], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return 0

    def kill(self) -> None:
        """End it whatever its state."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def send_signal(self, sig: int) -> None:
        """Send it a signal, if it is still there."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, sig)


@contextmanager
def _descriptor(pid: int) -> Iterator[int | None]:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
