"""The daemon's ear for people and programs on the same server: JSON lines on a unix socket.

``{"op": "status"}``, ``{"op": "yield", "seconds": 30, "to": null}``, ``{"op": "resume"}``,
``{"op": "force", "dead": ["lb2"], "go": false}`` (``force_asked.py``).
Each connection asks once and is answered once. Who may is decided by the socket's mode and
its folder: root, and the user the daemon runs as.
"""

import contextlib
import json
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stillup.errors import ServerFailed
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.settings_reader import Json

LONGEST_BYTES = 4096
MOST_FILES = 2
CONNECTIONS = 16
BACKLOG = 128
ANSWER_TIMEOUT_S = 2.0


class Refused(Exception):
    """What was asked cannot be done; the text says why."""


class Control:
    """Listens on the socket.

    Args:
        loop: For descriptors.
        path: Where; a leftover there is replaced.
        answer: Turns a question into its answer, or raises ``Refused``. One that takes longer is
            answered with ``Asked.reply``; then this returns None.
        descriptor: A predecessor's, which listens there already.
    """

    def __init__(
        self,
        loop: Loop,
        path: Path,
        answer: Callable[["Asked"], dict[str, Json] | None],
        descriptor: int | None = None,
    ) -> None:
        self._loop = loop
        self._path = path
        self._answer = answer
        self._open: dict[socket.socket, bytes] = {}
        self._files: dict[socket.socket, list[int]] = {}
        self._unsaid: dict[socket.socket, bytes] = {}
        if descriptor is not None:
            self._listener = socket.socket(fileno=descriptor)
            self._listener.settimeout(0)
        else:
            self._listener = self._listen(path)
        loop.watch(self._listener, self._on_connection)

    def _listen(self, path: Path) -> socket.socket:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        listener = socket.socket(
            socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        listener.bind(str(beside))
        beside.chmod(0o660)
        listener.listen(BACKLOG)
        # Renamed into place, so that nobody ever finds a socket that does not listen.
        beside.replace(path)
        return listener

    @property
    def descriptor(self) -> int:
        """What listens, for a successor."""
        return self._listener.fileno()

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
            data, files, _, _ = socket.recv_fds(connection, LONGEST_BYTES, MOST_FILES)
        except BlockingIOError:
            return
        except OSError:
            data, files = b"", []
        self._files.setdefault(connection, []).extend(files)
        received = self._open[connection] + data
        self._open[connection] = received
        if b"\n" in received:
            asked = Asked(self._files[connection], lambda answer: self._reply(connection, answer))
            answer = self._answered(received.partition(b"\n")[0], asked)
            if answer is not None:
                self._reply(connection, answer)
        elif not data or len(received) > LONGEST_BYTES:
            self._end(connection)

    def _reply(self, connection: socket.socket, answer: dict[str, Json]) -> None:
        """Answer, unless the asker has gone meanwhile."""
        if connection not in self._open:
            return
        self._unsaid[connection] = json.dumps(answer).encode() + b"\n"
        self._loop.unwatch(connection)
        self._loop.watch(connection, None, lambda: self._say_on(connection))
        self._say_on(connection)

    def _say_on(self, connection: socket.socket) -> None:
        """Say as much of the answer as is taken now: whoever reads slowly is not waited for."""
        unsaid = self._unsaid[connection]
        try:
            said = connection.send(unsaid)
        except BlockingIOError:
            return
        except OSError:
            said = len(unsaid)
        self._unsaid[connection] = unsaid[said:]
        if not self._unsaid[connection]:
            self._end(connection)

    def _answered(self, line: bytes, asked: "Asked") -> dict[str, Json] | None:
        try:
            question = json.loads(line)
        except (ValueError, RecursionError):
            return {"error": "this is not JSON"}
        if not isinstance(question, dict):
            return {"error": "a question is a JSON object"}
        asked.question = question
        try:
            return self._answer(asked)
        except Refused as error:
            return {"error": str(error)}

    def _end(self, connection: socket.socket) -> None:
        self._loop.unwatch(connection)
        connection.close()
        del self._open[connection]
        self._unsaid.pop(connection, None)
        for file in self._files.pop(connection, []):
            os.close(file)


@dataclass(slots=True)
class Asked:
    """A question.

    Args:
        files: Descriptors that came with it; closed when it is answered.
        reply: Answers it later; an asker that has gone meanwhile is no error.
        question: What is asked.
    """

    files: Sequence[int]
    reply: Callable[[dict[str, Json]], None]
    question: dict[str, Json] = field(default_factory=dict)


def ask(
    path: Path,
    question: dict[str, Json],
    files: Sequence[int] = (),
    within_s: float = ANSWER_TIMEOUT_S,
) -> dict[str, Json]:
    """Ask the daemon of this server.

    Args:
        path: Where it listens.
        question: What to ask.
        files: Descriptors to send along.
        within_s: How long it may take to answer.

    Raises:
        ServerFailed: If it does not run, does not answer, or refuses.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(within_s)
            connection.connect(str(path))
            data = json.dumps(question).encode() + b"\n"
            sent = socket.send_fds(connection, [data], list(files)) if files else 0
            connection.sendall(data[sent:])
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
