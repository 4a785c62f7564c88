"""Reads one HTTP/1.1 answer as it comes in (pure).

Source: RFC 9112 sections 4 (status line), 6 (message body), 7.1 (chunked).
"""

from enum import Enum, auto

KEPT_BYTES = 65536
"""So much of a body is kept; of the rest only the length."""
_HEAD_BYTES = 65536


class Malformed(ValueError):
    """What came in is no HTTP answer."""


class _Body(Enum):
    """How the end of a body is known."""

    UNKNOWN = auto()
    """The head is not here yet."""
    LENGTH = auto()
    SIZE = auto()
    """Chunked: the line with a chunk's size comes next."""
    CHUNK = auto()
    TRAILER = auto()
    CLOSE = auto()
    WHOLE = auto()


class Answer:
    """An answer that is coming in.

    Attributes:
        status: The HTTP status; 0 until the head is here.
        headers: Names in small letters; of several of a name the last.
        cookies: What each ``Set-Cookie`` sets, name to value.
        body: Its beginning, ``KEPT_BYTES`` at most.
        length: How many bytes of the body came.
        zero: Whether all of them were zero.
        begun: Whether anything came at all.
    """

    __slots__ = ("_buffer", "_left", "_way", "body", "cookies", "headers", "length", "status", "zero")  # fmt: skip

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.cookies: dict[str, str] = {}
        self.body = bytearray()
        self.length = 0
        self.zero = True
        self._buffer = b""
        self._way = _Body.UNKNOWN
        self._left = 0

    @property
    def whole(self) -> bool:
        """Whether all of it is here."""
        return self._way is _Body.WHOLE

    @property
    def begun(self) -> bool:
        """Whether anything came at all."""
        return bool(self.status or self._buffer)

    @property
    def keeps(self) -> bool:
        """Whether the connection may be used again after it."""
        return self.whole and self.headers.get("connection", "").lower() != "close"

    def feed(self, data: bytes) -> None:
        """Take more bytes in.

        Raises:
            Malformed: If it is no HTTP answer, or goes on after its end.
        """
        data = self._buffer + data if self._buffer else data
        self._buffer = b""
        while data and not self.whole:
            rest = self._step(data)
            if rest is None:
                self._buffer = data
                if len(data) > _HEAD_BYTES:
                    raise Malformed("a line without an end")
                return
            data = rest
        if data:
            raise Malformed("more than the answer")

    def end(self) -> None:
        """Note that the connection ended, which is the end of some answers."""
        if self._way is _Body.CLOSE:
            self._way = _Body.WHOLE
            self.headers["connection"] = "close"

    def _step(self, data: bytes) -> bytes | None:
        """Take one thing off the front and return the rest; None if it is not all here yet."""
        match self._way:
            case _Body.UNKNOWN:
                return self._head(data)
            case _Body.SIZE:
                return self._size(data)
            case _Body.TRAILER:
                return self._trailer(data)
            case _Body.CLOSE:
                self._keep(data)
                return b""
            case _:
                return self._take(data)

    def _head(self, data: bytes) -> bytes | None:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
            raise Malformed(f"no status line: {first[:40]!r}")
        if words[1].startswith("1"):
            return rest  # 100 Continue and its like: the answer follows.
        self.status = int(words[1])
        for each in lines:
            self._header(each)
        self._begin_body(words[0])
        return rest

    def _header(self, text: str) -> None:
        name, colon, value = text.partition(":")
        if not colon:
            raise Malformed(f"no header: {text[:40]!r}")
        name, value = name.strip().lower(), value.strip()
        self.headers[name] = value
        if name == "set-cookie":
            cookie, _, kept = value.partition(";")[0].partition("=")
            self.cookies[cookie] = kept

    def _begin_body(self, version: str) -> None:
        length = self.headers.get("content-length")
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            self._way = _Body.SIZE
        elif length is None:
            self._way = _Body.CLOSE
        elif not length.isdecimal():
            raise Malformed(f"no length: {length[:40]!r}")
        else:
            self._left = int(length)
            self._way = _Body.LENGTH if self._left else _Body.WHOLE
        if version == "HTTP/1.0":
            self.headers.setdefault("connection", "close")

    def _size(self, data: bytes) -> bytes | None:
        size, end, rest = data.partition(b"\r\n")
        if not end:
            return None
        try:
            left = int(size.partition(b";")[0], 16)
        except ValueError:
            raise Malformed(f"no chunk's size: {size[:20]!r}") from None
        self._way = _Body.CHUNK if left else _Body.TRAILER
        self._left = left + 2  # with the end of its line
        return rest

    def _trailer(self, data: bytes) -> bytes | None:
        text, end, rest = data.partition(b"\r\n")
        if not end:
            return None
        if not text:
            self._way = _Body.WHOLE
        return rest

    def _take(self, data: bytes) -> bytes:
        """Take what belongs to the body, or to a chunk of it with its end of line."""
        taken, rest = data[: self._left], data[self._left :]
        line_end = 2 if self._way is _Body.CHUNK else 0
        self._keep(taken[: max(0, self._left - line_end)])
        self._left -= len(taken)
        if not self._left:
            self._way = _Body.SIZE if self._way is _Body.CHUNK else _Body.WHOLE
        return rest

    def _keep(self, data: bytes) -> None:
        self.length += len(data)
        self.zero = self.zero and data.count(0) == len(data)
        if len(self.body) < KEPT_BYTES:
            self.body += data[: KEPT_BYTES - len(self.body)]
