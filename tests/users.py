"""Users of a farm, many kinds at once, who notice every failure and every wait.

Open loop: a request is due at a fixed pace whatever became of those before it. Half of them go
over new connections, half over kept-alive ones (which reconnect when they are told
``Connection: close``, and only then). Downloads and uploads go at a steady pace for the whole
time, and tunnels (WebSockets) are asked ten times a second. The program also says how late it
was itself, so that a stall of this machine is not taken for one of the farm.

``python tests/users.py --address 10.0.0.1 --output FILE --seconds 60 [--rate 500] ...``; it
writes one JSON object when it ends, at the latest then, at once on SIGTERM.
"""

import argparse
import asyncio
import json
import signal
import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from stillup.priority import preferred

LONG_S = 0.02
"""Longer waits between two good answers are written down one by one."""

NEAR_S = 0.1
"""A wait so close to a move belongs to it."""

PATIENCE_S = 5.0
KEPT = 25
"""Kept-alive connections; each is used in turn."""

CHUNKS_A_SECOND = 50
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Wait:
    """A time without any good answer.

    Args:
        from_s: When it began, on ``CLOCK_MONOTONIC``.
        lasted_s: How long it was.
        late_s: How late this program itself was within it, at most.
    """

    from_s: float
    lasted_s: float
    late_s: float


@dataclass
class Seen:
    """What the users met with."""

    asked: int = 0
    answered: int = 0
    left_in_order: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    by: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    late_s: float = 0.0
    waits: list[Wait] = field(default_factory=list)
    moved_bytes: Counter[str] = field(default_factory=Counter)
    stream_waits_s: dict[str, float] = field(default_factory=dict)
    cut: Counter[str] = field(default_factory=Counter)


def longest_waits_s(
    waits: Iterable[Wait | Mapping[str, float]], moves_s: Iterable[float]
) -> tuple[float, float]:
    """Return the longest wait at a move, and the longest at any other time.

    What this machine does at other times it may do at a move as well, so the second is how far
    the first can be trusted. For as long as this program was late itself nobody waited for the
    farm, so that is taken off. Waits up to ``LONG_S`` are not written down, and count as that.

    Args:
        waits: As they are in what the program wrote.
        moves_s: When the address moved, on ``CLOCK_MONOTONIC``.
    """
    moves = list(moves_s)
    longest = {True: LONG_S, False: LONG_S}
    for each in waits:
        wait = each if isinstance(each, Wait) else Wait(**each)
        begun_s, ended_s = wait.from_s, wait.from_s + wait.lasted_s
        at_a_move = any(begun_s - NEAR_S < moved_s < ended_s + NEAR_S for moved_s in moves)
        longest[at_a_move] = max(longest[at_a_move], wait.lasted_s - wait.late_s)
    return longest[True], longest[False]


def may_wait_s(elsewhere_s: float) -> float:
    """Return how long users may wait at a move, where some waited ``elsewhere_s`` at other times.

    On a quiet machine it is no longer than ``LONG_S``, which ``bench.failover`` shows. A slow or busy one takes
    longer for everything. An address that is not handed over, but lost and taken, is silent for a lease of 500 ms.
    """
    return max(4 * LONG_S, 2 * elsewhere_s)


class Users:
    """All of them, on one event loop."""

    def __init__(self, wanted: argparse.Namespace) -> None:
        self.wanted = wanted
        self.seen = Seen()
        self._last_s: float | None = None
        self._late_now_s = 0.0
        self._tls = _trusting() if wanted.tls else None
        self._idle: list[Streams] = []
        head = f"Host: {wanted.host or wanted.address}\r\n"
        self._new = f"GET {wanted.path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode()
        self._kept = f"GET {wanted.path} HTTP/1.1\r\n{head}\r\n".encode()
        self._head = head

    async def run(self) -> None:
        """Be users until the time is over or somebody ends it."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, ended.set)
        until_s = time.monotonic() + self.wanted.seconds
        async with asyncio.TaskGroup() as tasks:
            lasting = [tasks.create_task(self._watch_oneself())]
            kinds = (
                ("download", self.wanted.downloads, self._download),
                ("upload", self.wanted.uploads, self._upload),
                ("tunnel", self.wanted.tunnels, self._tunnel),
            )
            for kind, number, act in kinds:
                lasting += [
                    tasks.create_task(self._lasting(kind, act, until_s)) for _ in range(number)
                ]
            asking = tasks.create_task(self._ask_all(until_s))
            waiting = tasks.create_task(ended.wait())
            await asyncio.wait((asking, waiting), return_when=asyncio.FIRST_COMPLETED)
            for task in (*lasting, asking, waiting):
                task.cancel()
        for _, writer in self._idle:
            writer.close()

    # -- requests --------------------------------------------------------------------------

    async def _ask_all(self, until_s: float) -> None:
        begun_s, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as tasks:
            while True:
                due_s = begun_s + number / self.wanted.rate
                if due_s > until_s:
                    return
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                tasks.create_task(self._ask(due_s, kept=number % 2 == 0))
                number += 1

    async def _ask(self, due_s: float, *, kept: bool) -> None:
        self.seen.asked += 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                by = await (self._ask_kept() if kept else self._ask_new())
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            self.seen.failed[f"{'kept' if kept else 'new'} {type(error).__name__}: {error}"] += 1
            return
        self._answered(by, due_s)

    async def _ask_new(self) -> str:
        streams = await self._connect()
        try:
            return (await self._exchange(streams, self._new))[0]
        finally:
            streams[1].close()

    async def _ask_kept(self) -> str:
        streams = self._idle.pop(0) if len(self._idle) >= KEPT else await self._connect()
        closed = True
        try:
            by, closed = await self._exchange(streams, self._kept)
        finally:
            if closed:
                streams[1].close()
            else:
                self._idle.append(streams)
        self.seen.left_in_order += closed
        return by

    async def _exchange(self, streams: Streams, request: bytes) -> tuple[str, bool]:
        """Ask; return who answered, and whether the connection is not to be used again."""
        reader, writer = streams
        writer.write(request)
        status, headers = await _head(reader)
        if status != 200:
            raise ValueError(f"status {status}")
        await reader.readexactly(int(headers["content-length"]))
        return headers.get("x-balancer", ""), headers.get("connection", "").lower() == "close"

    def _answered(self, by: str, due_s: float) -> None:
        now_s, seen = time.monotonic(), self.seen
        seen.answered += 1
        seen.by[by] += 1
        seen.slowest_s = max(seen.slowest_s, now_s - due_s)
        if self._last_s is not None and now_s - self._last_s > LONG_S:
            seen.waits.append(Wait(self._last_s, now_s - self._last_s, self._late_now_s))
        self._last_s, self._late_now_s = now_s, 0.0

    # -- what lasts ------------------------------------------------------------------------

    async def _lasting(
        self, kind: str, act: Callable[[float], Awaitable[None]], until_s: float
    ) -> None:
        try:
            await act(until_s)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            self.seen.cut[f"{kind} {type(error).__name__}: {error}"] += 1

    async def _download(self, until_s: float) -> None:
        """Read at a steady pace; the kernel's buffer is small, so the farm must keep up."""
        reader, writer = await self._connect(receive_bytes=8192)
        writer.write(f"GET {self.wanted.download} HTTP/1.1\r\n{self._head}\r\n".encode())
        status, headers = await _head(reader)
        if status != 200:
            raise ValueError(f"status {status}")
        left = int(headers.get("content-length", 1 << 62))
        size = max(1, self.wanted.pace // CHUNKS_A_SECOND)
        async for begun_s in _paced(until_s):
            chunk = min(size, left)
            if not chunk:
                raise ValueError("the download was over too soon")
            await asyncio.wait_for(reader.readexactly(chunk), PATIENCE_S)
            left -= chunk
            self._moved("download", chunk, begun_s)
        writer.close()

    async def _upload(self, until_s: float) -> None:
        """Send one long body at a steady pace and be told how long it was."""
        reader, writer = await self._connect()
        size = max(1, self.wanted.pace // CHUNKS_A_SECOND)
        number = max(1, int((until_s - time.monotonic() - 1) * CHUNKS_A_SECOND))
        writer.write(
            f"POST {self.wanted.upload} HTTP/1.1\r\n{self._head}"
            f"Content-Length: {number * size}\r\n\r\n".encode()
        )
        sent = 0
        async for begun_s in _paced(until_s):
            if sent == number:
                break
            writer.write(b"u" * size)
            await asyncio.wait_for(writer.drain(), PATIENCE_S)
            sent += 1
            self._moved("upload", size, begun_s)
        await writer.drain()
        status, headers = await asyncio.wait_for(_head(reader), PATIENCE_S)
        told = await reader.readexactly(int(headers["content-length"]))
        if status != 200 or int(told) != number * size:
            raise ValueError(f"status {status}: {told!r} of {number * size} bytes came")
        writer.close()

    async def _tunnel(self, until_s: float) -> None:
        """Upgrade, then have short words echoed."""
        reader, writer = await self._connect()
        writer.write(
            f"GET {self.wanted.tunnel} HTTP/1.1\r\n{self._head}"
            "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        status, _ = await _head(reader)
        if status != 101:
            raise ValueError(f"status {status}")
        async for begun_s in _paced(until_s, every=5):
            writer.write(b"well?\n")
            if await asyncio.wait_for(reader.readline(), PATIENCE_S) != b"well?\n":
                raise ValueError("another word came back")
            self._moved("tunnel", 6, begun_s)
        writer.close()

    def _moved(self, kind: str, size: int, begun_s: float) -> None:
        self.seen.moved_bytes[kind] += size
        waited_s = time.monotonic() - begun_s
        self.seen.stream_waits_s[kind] = max(self.seen.stream_waits_s.get(kind, 0.0), waited_s)

    # -- the world -------------------------------------------------------------------------

    async def _connect(self, receive_bytes: int = 0) -> Streams:
        family = socket.AF_INET6 if ":" in self.wanted.address else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            if receive_bytes:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(connection, (self.wanted.address, self.wanted.port))
            limit = receive_bytes or 65536
            if self._tls is None:
                return await asyncio.open_connection(sock=connection, limit=limit)
            name = self.wanted.host or self.wanted.address
            return await asyncio.open_connection(
                sock=connection, limit=limit, ssl=self._tls, server_hostname=name
            )
        except BaseException:
            connection.close()
            raise

    async def _watch_oneself(self) -> None:
        """Note how late this program is, by waking every two milliseconds."""
        while True:
            due_s = time.monotonic() + 0.002
            await asyncio.sleep(0.002)
            late_s = time.monotonic() - due_s
            self._late_now_s = max(self._late_now_s, late_s)
            self.seen.late_s = max(self.seen.late_s, late_s)


async def _paced(until_s: float, every: int = 1) -> AsyncIterator[float]:
    begun_s, number = time.monotonic(), 0
    while True:
        due_s = begun_s + number * every / CHUNKS_A_SECOND
        if due_s > until_s:
            return
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        yield max(due_s, time.monotonic())
        number += 1


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    status = await reader.readline()
    if not status:
        raise ConnectionResetError("closed without an answer")
    headers = {}
    while line := (await reader.readline()).rstrip(b"\r\n"):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return int(status.split()[1]), headers


def _trusting() -> ssl.SSLContext:
    """Return a context for a farm's own certificate, which nobody has signed."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the users are told."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--host")
    parser.add_argument("--path", default="/")
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pace", type=int, default=100_000, help="bytes a second of each stream")
    for kind in ("download", "upload", "tunnel"):
        parser.add_argument(f"--{kind}s", type=int, default=0)
        parser.add_argument(f"--{kind}", default=f"/{kind}")
    return parser.parse_args(words)


def main() -> None:
    """Be users as the arguments say."""
    wanted = arguments()
    # What else this machine does must not look like an outage.
    preferred()
    users = Users(wanted)
    asyncio.run(users.run())
    wanted.output.write_text(json.dumps(vars(users.seen), default=asdict, indent=1))


if __name__ == "__main__":
    main()
