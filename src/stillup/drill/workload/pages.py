"""What is asked of the farm's probe pages, and which answer is right (pure).

| kind            | request                | right: status 200 and the text        |
|-----------------|------------------------|---------------------------------------|
| new, kept       | GET page?n=N           | ``page N of TOKEN``                   |
| session         | GET session            | ``session COUNT of TOKEN``            |
| row             | POST row?n=N           | ``row N of TOKEN``: it is committed   |
| file            | POST file?n=N          | ``file N of TOKEN``: it is on disk    |
| download        | GET download           | as many bytes as announced, all zero  |

What changes something is a POST, which no balancer asks twice. 409 says that nothing was written.
"""

from stillup.drill.history import Kind, Outcome
from stillup.drill.workload.settings import path

_PAGES = {Kind.NEW: "page", Kind.KEPT: "page"}
_WRITES = frozenset({Kind.ROW, Kind.FILE})
_NUMBERED = frozenset({Kind.NEW, Kind.KEPT}) | _WRITES
TOLD_LENGTH = 120
"""What is kept of an answer that was not the right one."""


def request(kind: Kind, number: int, *, token: str, host: str, cookie: str, kept: bool) -> bytes:
    """Return the request's bytes.

    Args:
        kind: What is asked.
        number: Which one; of no account for sessions and downloads.
        token: See ``Settings``.
        host: See ``Settings``.
        cookie: The value of the ``Cookie`` header, or "".
        kept: Whether the connection stays open after it.
    """
    page = _PAGES.get(kind, str(kind)) + (f"?n={number}" if kind in _NUMBERED else "")
    lines = [
        f"{'POST' if kind in _WRITES else 'GET'} {path(token)}{page} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: stillup-drill",
    ]
    lines += ["Content-Length: 0"] if kind in _WRITES else []
    lines += [f"Cookie: {cookie}"] if cookie else []
    lines += [] if kept else ["Connection: close"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def judged(kind: Kind, number: int, token: str, status: int, body: bytes) -> tuple[Outcome, int]:
    """Return what a whole answer is worth, and the deed's number: a session's is in the answer."""
    if status == 200:
        return _read(kind, number, token, body)
    nothing = 0 if kind == Kind.SESSION else number
    if status == 409 and kind in _WRITES:
        return Outcome.NOT_DONE, nothing
    return (Outcome.SERVER_ERROR if status >= 500 else Outcome.WRONG), nothing


def _read(kind: Kind, number: int, token: str, body: bytes) -> tuple[Outcome, int]:
    """Read an answer of status 200."""
    if kind == Kind.DOWNLOAD:
        return Outcome.DONE, number
    what, _, rest = body.decode("latin-1").strip().partition(" ")
    told, _, of = rest.partition(" ")
    right = what == _PAGES.get(kind, kind) and of == f"of {token}" and told.isdecimal()
    if kind == Kind.SESSION:
        return (Outcome.DONE, int(told)) if right else (Outcome.WRONG, 0)
    return (Outcome.DONE if right and int(told) == number else Outcome.WRONG), number


def shortened(body: bytes, token: str) -> str:
    """Return the beginning of an answer in one line, without the token."""
    text = " ".join(body[: 4 * TOLD_LENGTH].decode("utf-8", "replace").split())
    return text.replace(token, "TOKEN")[:TOLD_LENGTH]
