"""Requests on standard input, answers on standard output, one JSON object a line.

Request: ``{"op": str, "id": int, ...arguments}``. Answers: any number of ``{"id", "event":
{"step": str, "detail": str}}``, then one ``{"id", "result": {...}}`` or ``{"id", "error":
{"code": str, "message": str}}``; ``code`` is that of a class in ``stillup.errors``. One
operation at a time. An empty line is no request: it says that the controller is still there. When the controller goes away in the middle, the operation is finished
(or taken back) all the same, then the session ends and the lock is free.

Some operations stream. What the server sends comes between its events as ``{"id", "bytes": n}``
and right behind that line n bytes, any number of times. What the controller sends follows its
request, which says ``"stream": true``, as ``{"bytes": n}`` and n bytes, and ends with ``{"bytes": 0}``. When an operation fails
that was still being sent something, the session ends with its error.
"""

import contextlib
import json
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import IO

from stillup.errors import InputRefused, ServerFailed, StillupError
from stillup.node import release
from stillup.node.apply import sentence
from stillup.node.lock import Lock
from stillup.node.message import Json, JsonObject
from stillup.node.world import World

LINE_LIMIT = 64 * 1024 * 1024
"""The longest request, in bytes: a bundle is some 100 kB, a piece of a release 1 MB."""
MOST_PIECE = 8 * 1024 * 1024
"""The longest piece of a stream, in bytes."""

Operation = Callable[["Session", JsonObject], JsonObject]


class Session:
    """One controller's session with this server."""

    def __init__(
        self, world: World, operations: Mapping[str, Operation], given: IO[bytes], told: IO[bytes]
    ) -> None:
        self.world = world
        self.lock = Lock(world)
        self.upload: release.Upload | None = None
        self._operations = operations
        self._given = given
        self._told = told
        self._deaf = False
        self.busy = False
        """Whether an operation is under way."""
        self._ending = False
        self._current: Json = None
        self._pieces_come = False

    def serve(self) -> None:
        """Answer requests until the controller goes away."""
        while line := self._given.readline(LINE_LIMIT):
            if not line.strip():
                continue
            self.busy = True
            self._answer(line)
            self.busy = False
            if self._deaf or self._ending:
                break
        self._leave()

    def drop_upload(self) -> None:
        """Forget a release that was begun and not ended."""
        if self.upload is not None:
            release.drop(self.upload)
            self.upload = None

    def _leave(self) -> None:
        self.drop_upload()
        self.lock.free()

    def end(self) -> None:
        """End when the operation under way is done; at once when there is none."""
        self._ending = True
        if not self.busy:
            self._leave()
            raise SystemExit(0)

    def event(self, step: str, detail: str) -> None:
        """Tell the controller how far the operation is."""
        self._tell({"id": self._current, "event": {"step": step, "detail": detail}})

    def send(self, piece: bytes) -> None:
        """Send the controller a piece of what it streams.

        Raises:
            ServerFailed: If nobody takes it any more; what makes the pieces is to be ended.
        """
        self._tell({"id": self._current, "bytes": len(piece)}, piece)
        if self._deaf:
            raise ServerFailed("the controller went away, or took nothing for too long")

    def pieces(self) -> Iterator[bytes]:
        """Yield what the controller streams to this operation.

        Raises:
            ServerFailed: If it went away before the end of it.
        """
        if not self._pieces_come:
            raise InputRefused("this operation is to be sent a stream")
        while piece := self._piece():
            yield piece
        self._pieces_come = False

    def _piece(self) -> bytes:
        # Not busy meanwhile: a controller that falls silent here is given up like any other.
        self.busy = False
        try:
            line = b"\n"
            while line and not line.strip():
                line = self._given.readline(LINE_LIMIT)
            size = number(_request(line), "bytes") if line else -1
            if 0 <= size <= MOST_PIECE:
                piece = self._given.read(size)
                if len(piece) == size:
                    return piece
        finally:
            self.busy = True
        raise ServerFailed("the controller went away in the middle")

    def _answer(self, line: bytes) -> None:
        self._current = None
        self._pieces_come = False
        try:
            request = _request(line)
            self._current = request.get("id")
            self._pieces_come = request.get("stream") is True
            result = self._operation(request)(self, request)
        except StillupError as error:
            self._fail(error.code, str(error))
        except OSError as error:
            self._fail(ServerFailed.code, sentence(error))
        except Exception as error:  # noqa: BLE001 (the top of the task: a bug ends one request)
            # Where, not what: the text of an unforeseen error may hold a secret.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} in {frame.filename}:{frame.lineno}"
            self._fail(ServerFailed.code, f"a fault of stillup itself: {where}")
        else:
            self._tell({"id": self._current, "result": result})
        # What was not taken of a stream would be read as requests.
        self._ending = self._ending or self._pieces_come

    def _operation(self, request: Mapping[str, Json]) -> Operation:
        asked = str(request.get("op"))
        group = asked.partition(".")[0] + ".*"
        operation = self._operations.get(asked) or self._operations.get(group)
        if operation is None:
            raise InputRefused(f"there is no operation {request.get('op')!r}")
        return operation

    def _fail(self, code: str, message: str) -> None:
        self._tell({"id": self._current, "error": {"code": code, "message": message}})

    def _tell(self, answer: JsonObject, piece: bytes = b"") -> None:
        """Send one line; when nobody listens any more, go on in silence."""
        if self._deaf:
            return
        try:
            self._told.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n" + piece)
            self._told.flush()
        except OSError:
            self._deaf = True


def _request(line: bytes) -> JsonObject:
    with contextlib.suppress(ValueError):
        request = json.loads(line)
        if isinstance(request, dict):
            return request
    raise InputRefused("a request is one JSON object a line")


def text(request: Mapping[str, Json], name: str) -> str:
    """Return an argument that must be a string."""
    value = request.get(name)
    if not isinstance(value, str):
        raise InputRefused(f"{request.get('op')}: {name} must be a string")
    return value


def number(request: Mapping[str, Json], name: str) -> int:
    """Return an argument that must be a whole number."""
    value = request.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputRefused(f"{request.get('op')}: {name} must be a whole number")
    return value
