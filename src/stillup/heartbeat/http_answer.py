"""A check's question and its answer over HTTP/1.1, on one kept connection: pure.

Source: RFC 9112.
"""

from dataclasses import dataclass

LIMIT_BYTES = 16384


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Args:
        status: The status code.
        keep: Whether the connection may be used for the next question.
    """

    status: int
    keep: bool

    @property
    def is_good(self) -> bool:
        """Whether the status says that all is well."""
        return 200 <= self.status < 400


class Malformed(ValueError):
    """What came is not an answer over HTTP/1."""


def question(host: str, path: str) -> bytes:
    """Return the request for ``path``."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: stillup-heartbeat\r\n\r\n"
    ).encode()


def answer(received: bytes) -> Answer | None:
    """Return the answer once all of it is there; None while more must come.

    An answer whose length is not told beforehand is taken at its head, and its connection
    is not used again.

    Raises:
        Malformed: If it is not HTTP/1, or longer than ``LIMIT_BYTES``.
    """
    head, blank, body = received.partition(b"\r\n\r\n")
    if len(received) > LIMIT_BYTES or not received.startswith(b"HTTP/1."[: len(received)]):
        raise Malformed("not an answer over HTTP/1")
    if not blank:
        return None
    lines = head.split(b"\r\n")
    status = lines[0].split(b" ")[1:2]
    if not status or not status[0].isdigit():
        raise Malformed("no status code")
    fields = {name.strip().lower(): value.strip() for name, value in _fields(lines[1:])}
    length = fields.get(b"content-length", b"")
    if not length.isdigit():
        return Answer(int(status[0]), keep=False)
    if len(body) < int(length):
        return None
    keep = lines[0].startswith(b"HTTP/1.1") and fields.get(b"connection", b"").lower() != b"close"
    return Answer(int(status[0]), keep=keep)


def _fields(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, _, value in (line.partition(b":") for line in lines)]
