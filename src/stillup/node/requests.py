"""Requests on standard input, answers on standard output, one JSON object a line.

Request: ``{"op": str, "id": int, ...arguments}``. Answers: any number of ``{"id", "event":
{"step": str, "detail": str}}``, then one ``{"id", "result": {...}}`` or ``{"id", "error":
{"code": str, "message": str}}``; ``code`` is that of a class in ``stillup.errors``. One
operation at a time. An empty line is no request: it says that the controller is still there. When the controller goes away in the middle, the operation is finished
(or taken back) all the same, then the session ends and the lock is free.
"""

import contextlib
import json
import traceback
from collections.abc import Callable, Mapping
from typing import IO

from stillup.errors import InputRefused, ServerFailed, StillupError
from stillup.node import release
from stillup.node.apply import sentence
from stillup.node.lock import Lock
from stillup.node.message import Json, JsonObject
from stillup.node.world import World

LINE_LIMIT = 64 * 1024 * 1024
"""The longest request, in bytes: a bundle is some 100 kB, a piece of a release 1 MB."""

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

    def _answer(self, line: bytes) -> None:
        self._current = None
        try:
            request = _request(line)
            self._current = request.get("id")
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

    def _operation(self, request: Mapping[str, Json]) -> Operation:
        operation = self._operations.get(str(request.get("op")))
        if operation is None:
            raise InputRefused(f"there is no operation {request.get('op')!r}")
        return operation

    def _fail(self, code: str, message: str) -> None:
        self._tell({"id": self._current, "error": {"code": code, "message": message}})

    def _tell(self, answer: JsonObject) -> None:
        """Send one line; when nobody listens any more, go on in silence."""
        if self._deaf:
            return
        try:
            self._told.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
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
