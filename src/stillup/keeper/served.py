"""Answers HAProxy's checks and the other keepers' questions over HTTP: acting.

Each answer closes its connection. What is answered stands ready: no question reaches MariaDB.
"""

import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import ClassVar, Protocol
from urllib.parse import parse_qs, urlsplit

SLOW_S = 2.0
"""How long an asker may take for its question."""


class Answers(Protocol):
    """What is asked of the keeper."""

    def health(self) -> tuple[int, str]:
        """Return the status code for HAProxy, and a word for people."""
        ...

    def state(self, question: dict[str, str]) -> tuple[int, bytes]:
        """Return the status code and the signed answer to another keeper."""
        ...


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Serves on a socket that listens already, so that a successor can go on with it."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, answers: Answers) -> None:
        self.answers = answers
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def run(self) -> None:
        """Serve in a thread of its own, until the process ends."""
        threading.Thread(target=self.serve_forever, name="http", daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """An asker that went away is nobody's concern."""


class _Handler(BaseHTTPRequestHandler):
    timeout: ClassVar[float | None] = SLOW_S
    server_version, sys_version = "stillup", ""

    def do_GET(self) -> None:
        """Answer ``/`` and ``/state``."""
        parts, answers = urlsplit(self.path), self._answers()
        if parts.path == "/":
            status, word = answers.health()
            self._answer(status, f"{word}\n".encode(), "text/plain")
        elif parts.path == "/state":
            question = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status, body = answers.state(question)
            self._answer(status, body, "application/json")
        else:
            self._answer(404, b"", "text/plain")

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self.do_GET()

    def do_OPTIONS(self) -> None:
        """Answer as to GET: HAProxy asks so where it is not told otherwise."""
        self.do_GET()

    def _answers(self) -> Answers:
        if not isinstance(self.server, Server):
            raise TypeError("this handler serves the keeper's server alone")
        return self.server.answers

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
        """Several checks a second are not worth a line each."""
