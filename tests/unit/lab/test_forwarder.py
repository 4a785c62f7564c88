"""The forwarder, between real sockets on this host's loopback."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from stillup.lab import forwarder
from stillup.lab.forwarder import forward

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class PlainMaker:
    """Makes ordinary sockets: the namespace is the lab tests' business."""

    def make(self) -> socket.socket:
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def listening() -> tuple[socket.socket, int]:
    opened = socket.create_server(("127.0.0.1", 0))
    return opened, int(opened.getsockname()[1])


@asynccontextmanager
async def forwarded(target: int) -> AsyncIterator[int]:
    """Run a forwarder to a port of the loopback; yields the port that leads there."""
    opened, port = listening()
    ways = {os.dup(opened.fileno()): ("127.0.0.1", target)}
    opened.close()
    serving = asyncio.ensure_future(forward(ways, PlainMaker()))
    try:
        yield port
    finally:
        # Connections end on their own, each by its two ends.
        current = asyncio.current_task()
        if connections := asyncio.all_tasks() - {serving, current}:
            await asyncio.wait(connections, timeout=10)
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[int]:
    """Run a server on the loopback; yields its port."""
    opened, port = listening()

    async def whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handler(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(whole, sock=opened)
    async with server:
        yield port


async def ask(port: int, data: bytes) -> bytes:
    """Send, end the sending half, and return all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def backwards(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer only when the question has ended: it needs half-closed connections."""
    writer.write((await reader.read())[::-1])
    await writer.drain()


def test_a_half_closed_connection_is_answered() -> None:
    async def scene() -> bytes:
        async with served(backwards) as target, forwarded(target) as port, asyncio.timeout(10):
            return await ask(port, b"abc" * 100_000)

    assert asyncio.run(scene()) == b"cba" * 100_000


def test_many_connections_at_once_each_get_their_own_answer() -> None:
    async def scene() -> list[bytes]:
        async with served(backwards) as target, forwarded(target) as port, asyncio.timeout(30):
            questions = [f"question {number}".encode() for number in range(300)]
            return await asyncio.gather(*(ask(port, question) for question in questions))

    assert asyncio.run(scene()) == [f"question {n}".encode()[::-1] for n in range(300)]


def test_nobody_there_closes_the_connection_and_the_next_is_tried_anew() -> None:
    opened, target = listening()
    opened.close()

    async def scene() -> tuple[bytes, bytes]:
        async with forwarded(target) as port, asyncio.timeout(10):
            nothing = await read_all(port)
            server = await asyncio.start_server(greet, "127.0.0.1", target)
            async with server:
                return nothing, await read_all(port)

    assert asyncio.run(scene()) == (b"", b"hello")


async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")
    writer.close()


async def read_all(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await reader.read()
    finally:
        writer.close()


def test_a_far_side_that_breaks_off_closes_the_near_one() -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async def scene() -> None:
        async with served(broken) as target, forwarded(target) as port, asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"x")
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
            assert await ask_again(port)

    async def ask_again(port: int) -> bool:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True

    asyncio.run(scene())


@pytest.mark.parametrize("size", [0, 1, 65536, 3_000_000])
def test_bytes_arrive_as_they_were_sent(size: int) -> None:
    data = os.urandom(size)

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(10_000):
            writer.write(part)
            await writer.drain()

    async def scene() -> bytes:
        async with served(echo) as target, forwarded(target) as port, asyncio.timeout(30):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            sending = asyncio.ensure_future(send(writer, data))
            answer = await reader.read()
            await sending
            writer.close()
            await writer.wait_closed()
            return answer

    async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()
        writer.write_eof()

    assert asyncio.run(scene()) == data


def test_a_long_answer_to_a_short_question_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder, "_IDLE_S", 0.4)

    async def slow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _each in range(10):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)

    async def scene() -> bytes:
        async with served(slow) as target, forwarded(target) as port, asyncio.timeout(10):
            return await read_all(port)

    assert asyncio.run(scene()) == b"x" * 10


def test_silence_in_both_directions_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder, "_IDLE_S", 0.2)

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def scene() -> bytes:
        async with served(silent) as target, forwarded(target) as port, asyncio.timeout(10):
            return await read_all(port)

    assert asyncio.run(scene()) == b""
