"""A site behind HAProxy, for hand-overs: a small page, and what lasts as long as one likes.

``python site.py PORT``. ``/`` is small, ``/download`` goes on as fast as it is read, ``/upload``
says how many bytes came, ``/tunnel`` upgrades and echoes. Standard library only.
"""

import asyncio
import contextlib
import sys
from collections.abc import Mapping

PIECE = b"d" * 10_000
PIECES = 100_000
TUNNEL = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


async def serve(port: int) -> None:
    """Answer for ever."""
    server = await asyncio.start_server(_connection, "127.0.0.1", port, backlog=1000)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await server.serve_forever()


async def _connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        while line := await reader.readline():
            path = line.decode().split()[1]
            headers = {}
            while field := (await reader.readline()).strip():
                name, _, value = field.decode().partition(":")
                headers[name.lower()] = value.strip()
            await _answer(path, headers, reader, writer)
    writer.close()


async def _answer(
    path: str,
    headers: Mapping[str, str],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    if path == "/download":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (PIECES * len(PIECE)))
        for _ in range(PIECES):
            writer.write(PIECE)
            await writer.drain()
    elif path == "/tunnel":
        writer.write(TUNNEL)
        while said := await reader.read(1000):
            writer.write(said)
            await writer.drain()
    else:
        left = int(headers.get("content-length", 0))
        body = str(left).encode()
        while left:
            left -= len(await reader.readexactly(min(left, 65536)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    await writer.drain()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
