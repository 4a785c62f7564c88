"""Tells HAProxy that an address was given away, over its runtime socket.

For connections to an address in the access list ``LIST``, HAProxy answers with ``Connection:
close``, so that users on kept-alive connections go over to the new holder, in order, with their
next request. Adding to a list needs no more than the level ``user`` (HAProxy 2.6 and 3.0).

Never waited for: a HAProxy that hangs must not hold the daemon up.
"""

import contextlib
import socket
from collections.abc import Mapping
from typing import Protocol

from stillup.heartbeat.loop import Loop

LIST = 6940
ANSWER_S = 2.0


class Log(Protocol):
    """Takes an event: fixed words, then fields."""

    def __call__(self, words: str, fields: Mapping[str, object]) -> None:
        """Log it."""
        ...


class Haproxy:
    """HAProxy's runtime socket; with None as its path nothing is told.

    Args:
        loop: For the answer.
        path: Where it listens.
        log: The log.
    """

    def __init__(self, loop: Loop, path: str | None, log: Log) -> None:
        self._loop = loop
        self._path = path
        self._log = log
        self._open: dict[str, socket.socket] = {}

    def tell(self, address: str, *, given: bool) -> None:
        """Say that ``address`` was given away, or that it is here (or no concern) again."""
        if self._path is None:
            return
        self._end(address)
        # Deleted first, so that it is in the list once, however often it is said.
        words = f"del acl #{LIST} {address}"
        if given:
            words += f"; add acl #{LIST} {address}"
        asked = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        asked.settimeout(0)
        try:
            asked.connect(self._path)
            asked.sendall(words.encode() + b"\n")
        except OSError as error:
            asked.close()
            self._log("haproxy not told", {"address": address, "reason": error.strerror})
            return
        self._open[address] = asked
        self._loop.watch(asked, lambda: self._on_answer(address))
        due_s = self._loop.now_s() + ANSWER_S
        self._loop.at(f"haproxy {address}", due_s, lambda _: self._late(address))

    def close(self) -> None:
        """Wait for no answer any more."""
        for address in list(self._open):
            self._end(address)

    def _on_answer(self, address: str) -> None:
        try:
            said = self._open[address].recv(4096).decode(errors="replace").strip()
        except BlockingIOError:
            return
        except OSError as error:
            said = error.strerror or "no answer"
        # It says so of what was to be deleted and is not in the list; that is well.
        complaints = [line for line in said.splitlines() if line and "not found" not in line]
        if complaints:
            self._log("haproxy not told", {"address": address, "reason": complaints[0]})
        self._end(address)

    def _late(self, address: str) -> None:
        self._log("haproxy not told", {"address": address, "reason": "no answer in time"})
        self._end(address)

    def _end(self, address: str) -> None:
        asked = self._open.pop(address, None)
        if asked is not None:
            self._loop.unwatch(asked)
            with contextlib.suppress(OSError):
                asked.close()
        self._loop.at(f"haproxy {address}", None, lambda _: None)
