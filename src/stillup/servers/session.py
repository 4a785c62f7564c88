"""One session over a pair of byte streams: requests out, answers back, one JSON object a line.

This is the controller's end of ``stillup.node.session``. It knows nothing of SSH: a ``Stream``
may be an SSH channel, a child process or memory. Every failure becomes one of the project's
errors here, and names the server.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from stillup.errors import (
    ChangeRefused,
    ChangeTakenBack,
    InputRefused,
    ServerFailed,
    ServerRefused,
    ServerUnreachable,
    StillupError,
)
from stillup.model.farm import Server
from stillup.node.message import Json, JsonObject

ERRORS: Mapping[str, type[StillupError]] = {
    error.code: error
    for error in (
        ChangeRefused,
        ChangeTakenBack,
        InputRefused,
        ServerFailed,
        ServerRefused,
        ServerUnreachable,
    )
}


class Stream(Protocol):
    """The bytes of one session."""

    async def read_line(self) -> bytes:
        """Return the next line with its newline; what is left, or ``b""``, at the end.

        Raises:
            OSError: If the way to the server broke.
        """
        ...

    async def read_exactly(self, size: int) -> bytes:
        """Return the next ``size`` bytes; fewer at the end.

        Raises:
            OSError: If the way to the server broke.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Send ``data``; waits while the other side is slow.

        Raises:
            OSError: If the way to the server broke.
        """
        ...

    async def last_words(self) -> str:
        """Return what the other side said on its error output, for a message; may be empty."""
        ...

    async def close(self) -> None:
        """End the stream by its end of input, and wait a few seconds for the other side.

        Never raises.
        """
        ...

    def abort(self) -> None:
        """End the stream at once."""
        ...


@dataclass(frozen=True, slots=True)
class _Talk:
    """What is done with what comes before the answer, and how long the silence may last."""

    on_event: Callable[[JsonObject], None] | None
    within_s: float
    take: Callable[[bytes], Awaitable[None]] | None = None
    pieces: AsyncIterator[bytes] | None = None


def _line(message: JsonObject) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


class Session:
    """A ``Connection`` over a ``Stream``. Not for two tasks at once."""

    def __init__(self, server: Server, stream: Stream) -> None:
        self._server = server
        self._stream = stream
        self._last_id = 0
        self._broken: str | None = None

    @property
    def server(self) -> Server:
        """The server at the other end."""
        return self._server

    async def request(
        self,
        operation: str,
        arguments: Mapping[str, Json] | None = None,
        *,
        on_event: Callable[[JsonObject], None] | None = None,
        within_s: float = 60.0,
    ) -> JsonObject:
        """Ask the server to do ``operation``; see ``Connection.request``."""
        return await self._exchange(operation, arguments, _Talk(on_event, within_s))

    async def download(
        self,
        operation: str,
        arguments: Mapping[str, Json],
        take: Callable[[bytes], Awaitable[None]],
        *,
        on_event: Callable[[JsonObject], None] | None = None,
        within_s: float = 60.0,
    ) -> JsonObject:
        """Ask for ``operation`` and take what it streams; see ``Connection.download``."""
        return await self._exchange(operation, arguments, _Talk(on_event, within_s, take=take))

    async def upload(
        self,
        operation: str,
        arguments: Mapping[str, Json],
        pieces: AsyncIterator[bytes],
        *,
        on_event: Callable[[JsonObject], None] | None = None,
        within_s: float = 60.0,
    ) -> JsonObject:
        """Ask for ``operation`` and stream to it; see ``Connection.upload``."""
        return await self._exchange(operation, arguments, _Talk(on_event, within_s, pieces=pieces))

    async def _exchange(
        self, operation: str, arguments: Mapping[str, Json] | None, talk: "_Talk"
    ) -> JsonObject:
        if self._broken is not None:
            raise ServerUnreachable(self._broken)
        self._last_id += 1
        asked: JsonObject = {**(arguments or {}), "op": operation, "id": self._last_id}
        if talk.pieces is not None:
            asked["stream"] = True
        answered = False
        try:
            await self._send(_line(asked), operation, talk.within_s)
            if talk.pieces is None:
                answer = await self._answer(operation, talk)
            else:
                answer = await self._stream_to(operation, talk.pieces, talk)
            answered = True
        finally:
            # Cancelled or broken in the middle: what the server says next would be
            # taken for the answer to another question, so nothing more is asked.
            if not answered and self._broken is None:
                self._broken = f"{self._server.name}: the session was given up during {operation}"
        if isinstance(error := answer.get("error"), dict):
            raise self._failure(error, operation)
        result = answer.get("result")
        return result if isinstance(result, dict) else {}

    async def close(self) -> None:
        """End the session; what it holds (the lock) is let go."""
        if self._broken is not None:
            # The other side sees the end of its input just the same, whenever it looks.
            self._stream.abort()
            return
        self._broken = f"{self._server.name}: the session is closed"
        await self._stream.close()

    async def _send(self, line: bytes, operation: str, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                await self._stream.write(line)
        except TimeoutError as error:
            raise self._lost(operation, f"it took nothing for {within_s:g} s") from error
        except OSError as error:
            raise self._lost(operation, await self._why(str(error))) from error

    async def _answer(self, operation: str, talk: "_Talk") -> JsonObject:
        while True:
            message = await self._message(operation, talk.within_s)
            if message.get("id") != self._last_id:
                raise self._lost(operation, "it answered a question that was not asked")
            event, size = message.get("event"), message.get("bytes")
            if isinstance(event, dict):
                if talk.on_event is not None:
                    talk.on_event(event)
            elif isinstance(size, int):
                piece = await self._piece(size, operation, talk.within_s)
                if talk.take is None:
                    raise self._lost(operation, "it streamed what was not asked for")
                await talk.take(piece)
            else:
                return message

    async def _piece(self, size: int, operation: str, within_s: float) -> bytes:
        try:
            async with asyncio.timeout(within_s):
                piece = await self._stream.read_exactly(size)
        except TimeoutError as error:
            raise self._lost(operation, f"it said nothing for {within_s:g} s") from error
        except OSError as error:
            raise self._lost(operation, await self._why(str(error))) from error
        if len(piece) != size:
            raise self._lost(operation, await self._why("the session ended"))
        return piece

    async def _stream_to(
        self, operation: str, pieces: AsyncIterator[bytes], talk: "_Talk"
    ) -> JsonObject:
        """Send all pieces, unless the answer comes before: that is then why it cannot go on."""
        answering = asyncio.create_task(self._answer(operation, talk))
        try:
            async for piece in pieces:
                if answering.done():
                    break
                with contextlib.suppress(ServerUnreachable):
                    await self._send(_line({"bytes": len(piece)}) + piece, operation, talk.within_s)
            if not answering.done():
                with contextlib.suppress(ServerUnreachable):
                    await self._send(_line({"bytes": 0}), operation, talk.within_s)
            return await answering
        finally:
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError, StillupError):
                await answering

    async def _message(self, operation: str, within_s: float) -> JsonObject:
        try:
            async with asyncio.timeout(within_s):
                line = await self._stream.read_line()
        except TimeoutError as error:
            raise self._lost(operation, f"it said nothing for {within_s:g} s") from error
        except OSError as error:
            raise self._lost(operation, await self._why(str(error))) from error
        if not line.endswith(b"\n"):
            raise self._lost(operation, await self._why("the session ended"))
        if line.startswith(b"failed "):
            # The loader could not keep the code it was sent; it speaks before the session does.
            reason = line[7:].decode(errors="replace").strip()
            raise self._lost(operation, f"our program cannot be kept there: {reason}")
        try:
            message = json.loads(line)
        except ValueError as error:
            raise self._lost(operation, f"it answered {line[:80]!r}") from error
        if not isinstance(message, dict):
            raise self._lost(operation, f"it answered {line[:80]!r}")
        return message

    async def _why(self, reason: str) -> str:
        words = (await self._stream.last_words()).strip()
        # A traceback's last line says what happened; the lines above it say where.
        return f"{reason}: {words.splitlines()[-1]}" if words else reason

    def _lost(self, operation: str, reason: str) -> ServerUnreachable:
        self._broken = (
            f"{self._server.name} ({self._server.address}) was lost during {operation}: {reason}"
        )
        return ServerUnreachable(self._broken)

    def _failure(self, error: JsonObject, operation: str) -> StillupError:
        message = str(error.get("message", f"{operation} failed"))
        kind = ERRORS.get(str(error.get("code")), ServerFailed)
        name = self._server.name
        return kind(message if message.startswith(name) else f"{name}: {message}")
