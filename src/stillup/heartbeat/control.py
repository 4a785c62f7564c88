"""The daemon's ear for people and programs on the same server: JSON lines on a unix socket.

``{"op": "status"}``, ``{"op": "yield", "seconds": 30, "to": null}``, ``{"op": "resume"}``.
Each connection asks once and is answered once. Who may is decided by the socket's mode and
its folder: root, and the user the daemon runs as.
"""

import contextlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

from stillup.errors import ServerFailed
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.settings_reader import Json

LONGEST_BYTES = 4096
CONNECTIONS = 16
ANSWER_TIMEOUT_S = 2.0


class Refused(Exception):
    """What was asked cannot be done; the text says why."""


class Control:
    """Listens on the socket.

    Args:
        loop: For descriptors.
        path: Where; a leftover there is replaced.
        answer: Turns a question into its answer, or raises ``Refused``.
    """

    def __init__(
        self, loop: Loop, path: Path, answer: Callable[[dict[str, Json]], dict[str, Json]]
    ) -> None:
        self._loop = loop
        self._path = path
        self._answer = answer
        self._open: dict[socket.socket, bytes] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        self._listener = socket.socket(
            socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        self._listener.bind(str(beside))
        beside.chmod(0o660)
        self._listener.listen(CONNECTIONS)
        # Renamed into place, so that nobody ever finds a socket that does not listen.
        beside.replace(path)
        loop.watch(self._listener, self._on_connection)

    def close(self) -> None:
        """Stop listening."""
        self._loop.unwatch(self._listener)
        self._listener.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _on_connection(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.settimeout(0)
        if len(self._open) >= CONNECTIONS:
            # The oldest has had its time.
            self._end(next(iter(self._open)))
        self._open[connection] = b""
        self._loop.watch(connection, lambda: self._on_readable(connection))

    def _on_readable(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(LONGEST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        received = self._open[connection] + data
        self._open[connection] = received
        if b"\n" in received:
            reply = json.dumps(self._reply(received.partition(b"\n")[0])).encode() + b"\n"
            with contextlib.suppress(OSError):
                connection.sendall(reply)
        elif data and len(received) <= LONGEST_BYTES:
            return
        self._end(connection)

    def _reply(self, line: bytes) -> dict[str, Json]:
        try:
            question = json.loads(line)
        except ValueError:
            return {"error": "this is not JSON"}
        if not isinstance(question, dict):
            return {"error": "a question is a JSON object"}
        try:
            return self._answer(question)
        except Refused as error:
            return {"error": str(error)}

    def _end(self, connection: socket.socket) -> None:
        self._loop.unwatch(connection)
        connection.close()
        del self._open[connection]


def ask(path: Path, question: dict[str, Json]) -> dict[str, Json]:
    """Ask the daemon of this server.

    Raises:
        ServerFailed: If it does not run, does not answer, or refuses.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_TIMEOUT_S)
            connection.connect(str(path))
            connection.sendall(json.dumps(question).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer = json.loads(lines.readline())
    except TimeoutError:
        raise ServerFailed(f"the heartbeat does not answer at {path} in time") from None
    except OSError as error:
        raise ServerFailed(
            f"the heartbeat cannot be asked at {path}: {error.strerror}; is it running?"
        ) from None
    except ValueError:
        raise ServerFailed(f"the heartbeat at {path} gave no whole answer") from None
    if "error" in answer:
        raise ServerFailed(f"the heartbeat refuses: {answer['error']}")
    found: dict[str, Json] = answer
    return found
