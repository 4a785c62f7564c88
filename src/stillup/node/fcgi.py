"""Run one PHP script by FastCGI, at the pool itself, so that nothing of it is on the web.

Just enough of the FastCGI 1.0 specification (Open Market, 1996): one request as a responder,
no standard input, on a connection of its own.
"""

import socket
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

BEGIN, END, PARAMETERS, STDIN, STDOUT, STDERR = 1, 3, 4, 5, 6, 7
RESPONDER = 1
POOL = "/run/php/site.sock"
"""Where PHP's workers for the site listen."""
HEADER = struct.Struct(">BBHHBx")


def request(script: str, parameters: Mapping[str, str]) -> bytes:
    """Return the bytes of a GET request for ``script``."""
    words = {
        "SCRIPT_FILENAME": script,
        "SCRIPT_NAME": f"/{script.rpartition('/')[2]}",
        "REQUEST_METHOD": "GET",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "GATEWAY_INTERFACE": "CGI/1.1",
        **parameters,
    }
    body = b"".join(_pair(name.encode(), value.encode()) for name, value in words.items())
    return b"".join(
        [
            _record(BEGIN, struct.pack(">HB5x", RESPONDER, 0)),
            _record(PARAMETERS, body),
            _record(PARAMETERS, b""),
            _record(STDIN, b""),
        ]
    )


def answer(data: bytes) -> tuple[bytes, bytes]:
    """Return what the script said (headers and body), and what it complained of.

    Raises:
        ValueError: If the answer stops before its end.
    """
    told = {STDOUT: b"", STDERR: b""}
    for kind, content in _records(data):
        if kind == END:
            return told[STDOUT], told[STDERR]
        if kind in told:
            told[kind] += content
    raise ValueError("the FastCGI answer stops before its end")


def status(told: bytes) -> int:
    """Return the HTTP status of what a script said; 200 where it names none."""
    head = told.partition(b"\r\n\r\n")[0]
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"status":
            return int(value.split()[0])
    return 200


def body(told: bytes) -> bytes:
    """Return what a script said, without its headers."""
    return told.partition(b"\r\n\r\n")[2]


def call(
    socket_path: Path, script: str, within_s: float, parameters: Mapping[str, str] | None = None
) -> tuple[bytes, bytes]:
    """Run ``script`` at the pool that listens at ``socket_path``, with more CGI ``parameters``.

    Raises:
        OSError: If nobody listens or answers there in time.
        ValueError: If the answer stops before its end.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(within_s)
        line.connect(str(socket_path))
        line.sendall(request(script, parameters or {}))
        return answer(b"".join(iter(lambda: line.recv(65536), b"")))


def _record(kind: int, content: bytes) -> bytes:
    return HEADER.pack(1, kind, 1, len(content), 0) + content


def _pair(name: bytes, value: bytes) -> bytes:
    return _length(name) + _length(value) + name + value


def _length(data: bytes) -> bytes:
    return bytes([len(data)]) if len(data) < 128 else struct.pack(">I", len(data) | 1 << 31)


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + HEADER.size <= len(data):
        _, kind, _, length, padding = HEADER.unpack_from(data, place)
        place += HEADER.size
        yield kind, data[place : place + length]
        place += length + padding
