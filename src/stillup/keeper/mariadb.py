"""Speaks to the MariaDB of this server over its socket, as the system's root: acting."""

import socket
import time
from pathlib import Path

from stillup.keeper import mariadb_wire as wire
from stillup.keeper.mariadb_wire import Refused, Result

SOCKET = Path("/run/mysqld/mysqld.sock")


class NoAnswer(Exception):
    """MariaDB does not listen, or did not answer in time."""


class MariaDB:
    """One connection, made when it is needed and again when it was lost.

    Args:
        path: MariaDB's socket.
        within_s: How long one statement may take, all in all.
    """

    def __init__(self, path: Path = SOCKET, *, within_s: float) -> None:
        self._path, self._within_s = path, within_s
        self._socket: socket.socket | None = None
        self._end_s = 0.0

    def ask(self, statement: str) -> Result:
        """Carry out one statement.

        Raises:
            NoAnswer: If there is no answer in time. What became of the statement is not known.
            Refused: If MariaDB says no.
        """
        self._end_s = time.monotonic() + self._within_s
        try:
            if self._socket is None:
                self._connect()
            self._send(0, wire.query(statement))
            return self._result()
        except (OSError, EOFError) as error:
            self.close()
            raise NoAnswer(str(error)) from error

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(self._left_s())
        self._socket.connect(str(self._path))
        number, greeting = self._receive()
        wire.raise_if_refused(greeting)
        self._send(number + 1, wire.login("root"))
        number, answer = self._receive()
        while not wire.is_ok(answer):
            wire.raise_if_refused(answer)
            if not wire.is_switch(answer):
                raise EOFError("MariaDB asks for what the keeper does not know")
            # The socket itself tells who we are: there is nothing to say.
            self._send(number + 1, b"")
            number, answer = self._receive()

    def _result(self) -> Result:
        _, first = self._receive()
        wire.raise_if_refused(first)
        if wire.is_ok(first):
            return Result(changed=wire.changed(first))
        while not wire.is_end(self._receive()[1]):
            pass  # the columns' names and types
        rows: list[wire.Row] = []
        while True:
            _, payload = self._receive()
            wire.raise_if_refused(payload)
            if wire.is_end(payload):
                return Result(tuple(rows))
            rows.append(wire.row(payload))

    def _left_s(self) -> float:
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("no answer in time")
        return left_s

    def _send(self, number: int, payload: bytes) -> None:
        self._connected().sendall(wire.framed(number, payload))

    def _receive(self) -> tuple[int, bytes]:
        head = self._exactly(4)
        return head[3], self._exactly(int.from_bytes(head[:3], "little"))

    def _exactly(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            self._connected().settimeout(self._left_s())
            part = self._connected().recv(min(size, 65536))
            if not part:
                raise EOFError("MariaDB closed the connection")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise EOFError("not connected")
        return self._socket


__all__ = ["SOCKET", "MariaDB", "NoAnswer", "Refused", "Result"]
