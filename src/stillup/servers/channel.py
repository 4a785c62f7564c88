"""The process at the other end of an SSH connection, as a ``Stream``, and how it is begun."""

import asyncio
import contextlib
import shlex

import asyncssh

from stillup.errors import ServerFailed, ServerRefused, ServerUnreachable, StillupError
from stillup.model.farm import Server
from stillup.node import loader
from stillup.servers.code import node_code
from stillup.servers.session import Session

LINE_BYTES = 256 * 1024 * 1024
"""An answer longer than this is no answer; the session ends."""
AHEAD_BYTES = 4 * 1024 * 1024
"""How much of a stream may come before somebody takes it."""
WORDS_BYTES = 8192
"""How much of a server's error output is kept, the last of it."""
END_WITHIN_S = 3.0
NO_SUCH_PROGRAM = 127
HERE_S = 10.0
"""How often an idle session says that we are still here; the node gives us up after 40 s."""


class Channel(asyncssh.SSHClientSession[bytes]):
    """A ``Stream`` over one SSH channel; it owns its connection and closes it."""

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        self._connection = connection
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._received = bytearray()
        self._searched = 0
        self._words = bytearray()
        self._lost: Exception | None = None
        self._ended = False
        self._awaited = False
        self._paused = False
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._closed = asyncio.Event()
        self._here: asyncio.TimerHandle | None = None

    # What asyncssh calls.

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """Remember the channel."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Keep what the process said."""
        if datatype == asyncssh.EXTENDED_DATA_STDERR:
            self._words = (self._words + data)[-WORDS_BYTES:]
            return
        self._received += data
        if len(self._received) > LINE_BYTES:
            self._lost = ConnectionError(f"it sent a line of more than {LINE_BYTES} bytes")
            self.abort()
        elif len(self._received) > AHEAD_BYTES and not self._awaited and self._channel is not None:
            # Nobody waits for it: a stream that is taken more slowly than it comes.
            self._channel.pause_reading()
            self._paused = True
        self._news.set()

    def eof_received(self) -> bool:
        """Note the end; nothing is left to send either."""
        self._ended = True
        self._news.set()
        return False

    def pause_writing(self) -> None:
        """Note that the other side is slow."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Note that the other side takes more."""
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of the channel, and wake everybody who waits on it."""
        self._lost = self._lost or exc
        self._ended = True
        self._keep_quiet()
        self._news.set()
        self._writable.set()
        self._closed.set()

    # A ``Stream``.

    async def read_line(self) -> bytes:
        """Return the next line; see ``Stream``."""
        while (end := self._received.find(b"\n", self._searched)) < 0 and not self._ended:
            self._searched = len(self._received)
            await self._await_more()
        self._searched = 0
        if end < 0 and self._lost is not None:
            raise ConnectionError(_reason(self._lost)) from self._lost
        size = end + 1 if end >= 0 else len(self._received)
        line = bytes(self._received[:size])
        del self._received[:size]
        return line

    async def read_exactly(self, size: int) -> bytes:
        """Return the next ``size`` bytes; see ``Stream``."""
        while len(self._received) < size and not self._ended:
            await self._await_more()
        if len(self._received) < size and self._lost is not None:
            raise ConnectionError(_reason(self._lost)) from self._lost
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    async def _await_more(self) -> None:
        self._news.clear()
        self._awaited = True
        if self._paused and self._channel is not None:
            self._paused = False
            self._channel.resume_reading()
        try:
            await self._news.wait()
        finally:
            self._awaited = False

    async def write(self, data: bytes) -> None:
        """Send ``data``; see ``Stream``."""
        if self._channel is None or self._ended:
            raise ConnectionError(_reason(self._lost))
        try:
            self._channel.write(data)
        except BrokenPipeError as error:
            raise ConnectionError(_reason(self._lost)) from error
        await self._writable.wait()

    async def last_words(self) -> str:
        """Return the end of the error output; see ``Stream``."""
        # It travels beside the output; what was written before the end has come when the
        # channel is closed.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0 if self._ended else 0.0):
                await self._closed.wait()
        return self._words.decode(errors="replace")

    async def close(self) -> None:
        """End the process by the end of its input, wait a little for it, and close all."""
        self._keep_quiet()
        if self._channel is not None and not self._closed.is_set():
            with contextlib.suppress(OSError, TimeoutError):
                self._channel.write_eof()
                async with asyncio.timeout(END_WITHIN_S):
                    await self._closed.wait()
        self.abort()

    def say_we_are_here(self) -> None:
        """Say an empty line now and then from now on, which is no request.

        Every line is written whole, so that one of these stands between two others.
        """
        if self._channel is not None and self._here is not None and self._writable.is_set():
            with contextlib.suppress(OSError):
                self._channel.write(b"\n")
        if not self._ended:
            loop = asyncio.get_running_loop()
            self._here = loop.call_later(HERE_S, self.say_we_are_here)

    def _keep_quiet(self) -> None:
        if self._here is not None:
            self._here.cancel()

    def abort(self) -> None:
        """Close the connection at once."""
        self._keep_quiet()
        self._connection.abort()

    def exit_status(self) -> int | None:
        """Return how the process ended; None when that is not known."""
        return self._channel.get_exit_status() if self._channel is not None else None


async def start(server: Server, connection: asyncssh.SSHClientConnection, *, root: bool) -> Session:
    """Start the node on a server we are logged in to, bringing its code where that is missing.

    Raises:
        ServerRefused: If sudo wants a password.
        ServerFailed: If Python is missing or the node does not start.
        ServerUnreachable: If the connection broke.
    """
    code = node_code()
    argv = ["python3", "-I", "-c", loader.PROGRAM, code.sha256, str(len(code.packed))]
    try:
        channel = Channel(connection)
        await connection.create_session(
            lambda: channel,
            shlex.join(argv if root else ["sudo", "-n", *argv]),
            encoding=None,
        )
        answer = await channel.read_line()
        if answer == b"need\n":
            await channel.write(code.packed)
        elif answer != b"have\n":
            raise await _did_not_start(server, channel, answer)
    except (OSError, asyncssh.Error) as error:
        raise ServerUnreachable(
            f"{server.name} ({server.address}) was lost at the start of the session: {error}"
        ) from error
    channel.say_we_are_here()
    return Session(server, channel)


async def _did_not_start(server: Server, channel: Channel, answer: bytes) -> StillupError:
    if answer.startswith(b"failed "):
        return ServerFailed(f"{server.name}: our program cannot be kept there: {_text(answer[7:])}")
    words = (await channel.last_words()).strip()
    if words.startswith("sudo:"):
        return ServerRefused(
            f"{server.name}: sudo wants a password or refuses ({words.splitlines()[0]}); a file in "
            "/etc/sudoers.d with `USER ALL=(root) NOPASSWD: ALL` lets us in"
        )
    if channel.exit_status() == NO_SUCH_PROGRAM:
        return ServerFailed(f"{server.name} has no python3 (or no sudo); install it with apt-get")
    if answer and not words:
        return ServerFailed(
            f"{server.name} answered {answer[:80]!r} where our program should have; does a shell "
            "start-up file there print something?"
        )
    last = words.splitlines()[-1] if words else "no reason given"
    return ServerFailed(f"{server.name}: our program does not start there: {last}")


def _reason(lost: Exception | None) -> str:
    if lost is None:
        return "the session ended"
    # asyncssh speaks of its own means here; what a person wants to know is what it shows.
    if "keepalive" in str(lost):
        return "it no longer answers; it is off or cut off"
    return str(lost)


def _text(data: bytes) -> str:
    return data.decode(errors="replace").strip()
