"""The forwarder: listens on this host's loopback, speaks from the lab's client.

A process of its own. Bytes are passed on as they come, each direction ended by itself, so
that half-closed connections, uploads and server-sent events work. A connection whose
other end cannot be reached is closed; the next one is tried anew, wherever the virtual IP is.
"""

import asyncio
import contextlib
import os
import resource
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stillup.errors import LabFailed
from stillup.lab import cgroup
from stillup.lab.namespace import SocketMaker
from stillup.lab.network import client_network
from stillup.lab.state import Home

_CONNECT_S = 5.0
_CHUNK_BYTES = 65536
# Both directions silent for this long: a peer that is gone without a word.
_IDLE_S = 600.0


class MakesSockets(Protocol):
    """Where the sockets of the far side come from."""

    def make(self) -> socket.socket:
        """Return a TCP socket that is not connected."""
        ...


async def forward(ways: dict[int, tuple[str, int]], maker: MakesSockets) -> None:
    """Serve until cancelled; tells on stdout when it is ready.

    Args:
        ways: For each listening socket's descriptor, the address and port it leads to.
        maker: Makes the sockets of the far side.
    """
    servers = [await _serve(descriptor, target, maker) for descriptor, target in ways.items()]
    os.write(1, b"ready\n")
    try:
        await asyncio.Event().wait()
    finally:
        for server in servers:
            server.close()


async def _serve(descriptor: int, target: tuple[str, int], maker: MakesSockets) -> asyncio.Server:
    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, LabFailed):
            await _pass_on(reader, writer, target, maker)
        await _close(writer)

    return await asyncio.start_server(on_connection, sock=socket.socket(fileno=descriptor))


async def _pass_on(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    target: tuple[str, int],
    maker: MakesSockets,
) -> None:
    far = await asyncio.to_thread(maker.make)
    far.settimeout(0)
    try:
        async with asyncio.timeout(_CONNECT_S):
            await asyncio.get_running_loop().sock_connect(far, target)
    except (OSError, TimeoutError):
        far.close()
        raise
    far_reader, far_writer = await asyncio.open_connection(sock=far)
    activity = _Activity(asyncio.get_running_loop().time())
    try:
        async with asyncio.TaskGroup() as directions:
            directions.create_task(_copy(reader, far_writer, activity))
            directions.create_task(_copy(far_reader, writer, activity))
    except* (OSError, TimeoutError):
        pass
    finally:
        await _close(far_writer)


@dataclass(slots=True)
class _Activity:
    """When anything last came over a connection, in either direction, on the loop's clock."""

    last_s: float


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, activity: _Activity
) -> None:
    while data := await _read(reader, activity):
        writer.write(data)
        async with asyncio.timeout(_IDLE_S):
            await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _read(reader: asyncio.StreamReader, activity: _Activity) -> bytes:
    """Return what comes next; a long download keeps the way of its question open as well.

    Raises:
        TimeoutError: If both directions were silent for too long.
    """
    loop = asyncio.get_running_loop()
    while True:
        try:
            async with asyncio.timeout_at(activity.last_s + _IDLE_S):
                data = await reader.read(_CHUNK_BYTES)
        except TimeoutError:
            if loop.time() < activity.last_s + _IDLE_S:
                continue
            raise
        activity.last_s = loop.time()
        return data


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_CONNECT_S):
            await writer.wait_closed()


def _way(argument: str) -> tuple[int, tuple[str, int]]:
    descriptor, address, port = argument.split(":")
    return int(descriptor), (address, int(port))


def main(arguments: list[str]) -> None:
    """Run as ``python -m stillup.lab.forwarder HOME DESCRIPTOR:ADDRESS:PORT...``."""
    home = Home(Path(arguments[0]))
    cgroup.join(cgroup.group_of(home.id) / "forwarder")
    # Each connection takes two, and the usual limit is 1024.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    maker = SocketMaker(client_network(home))
    asyncio.run(forward(dict(map(_way, arguments[1:])), maker))


if __name__ == "__main__":
    main(sys.argv[1:])
