"""Stands for the farm's probe pages: a small server in the test's own process."""

import socket
import ssl
import threading
from collections import Counter
from contextlib import suppress

TOKEN = "f" * 32


class Site:
    """Answers as the probe pages do, but some numbers wrongly, on purpose.

    Page 3 is another's, row 5 was not written, file 2 breaks off. While ``speaks`` is not set,
    every answer is held back.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=500)
        self.port: int = self.listener.getsockname()[1]
        self.speaks = threading.Event()
        self.speaks.set()
        self.asked: Counter[str] = Counter()
        """How often each page was asked for."""
        self.visits: Counter[str] = Counter()
        self.connections = 0
        self._context = context
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        # Only this wakes who waits for the next one.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError):
            context = self._context
            connection = plain if context is None else context.wrap_socket(plain, server_side=True)
            with connection, connection.makefile("rwb") as stream:
                while first := stream.readline():
                    headers = {}
                    while line := stream.readline().strip():
                        name, _, value = line.decode().partition(": ")
                        headers[name] = value
                    self.speaks.wait(20)
                    stream.write(self._answer(first.decode().split()[1], headers))
                    stream.flush()
                    if first.split()[1].endswith(b"/file?n=2"):
                        return

    def _answer(self, path: str, headers: dict[str, str]) -> bytes:
        page, _, number = path.removeprefix(f"/stillup-drill-{TOKEN}/").partition("?n=")
        self.asked[page] += 1
        head = "HTTP/1.1 200 OK\r\nX-Balancer: lb1\r\nX-Web: web1\r\n"
        if page == "download":
            return f"{head}Content-Length: 40000\r\n\r\n".encode() + bytes(40000)
        if (page, number) == ("row", "5"):
            return b"HTTP/1.1 409 Conflict\r\nContent-Length: 11\r\n\r\nno database"
        if page == "session":
            cookie = headers.get("Cookie") or f"S=v{len(self.visits)}"
            self.visits[cookie] += 1
            number, head = str(self.visits[cookie]), f"{head}Set-Cookie: {cookie}\r\n"
        body = f"{page} {'4' if (page, number) == ('page', '3') else number} of {TOKEN}\n"
        length = len(body) + 9 * ((page, number) == ("file", "2"))
        return f"{head}Content-Length: {length}\r\n\r\n{body}".encode()
