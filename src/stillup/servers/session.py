"""One session over a pair of byte streams: requests out, answers back, one JSON object a line.

This is the controller's end of ``stillup.node.session``. It knows nothing of SSH: a ``Stream``
may be an SSH channel, a child process or memory. Every failure becomes one of the project's
errors here, and names the server.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
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
        if self._broken is not None:
            raise ServerUnreachable(self._broken)
        self._last_id += 1
        asked: JsonObject = {**(arguments or {}), "op": operation, "id": self._last_id}
        line = json.dumps(asked, separators=(",", ":")).encode() + b"\n"
        answered = False
        try:
            await self._send(line, operation, within_s)
            answer = await self._answer(operation, on_event, within_s)
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

    async def _answer(
        self, operation: str, on_event: Callable[[JsonObject], None] | None, within_s: float
    ) -> JsonObject:
        while True:
            message = await self._message(operation, within_s)
            if message.get("id") != self._last_id:
                raise self._lost(operation, "it answered a question that was not asked")
            event = message.get("event")
            if not isinstance(event, dict):
                return message
            if on_event is not None:
                on_event(event)

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
