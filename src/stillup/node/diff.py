"""The difference between two contents, as text for a person (pure).

Never of a secret, never of what is not text, and never longer to make than to read.
"""

import difflib
import io
from dataclasses import dataclass, field

HIDDEN = "secret changed"
LINES_MAX = 4000
"""More lines than this on both sides together are counted, not compared: difflib's time
grows with their product."""


@dataclass(frozen=True, slots=True)
class Content:
    """One side: what is in the file, and its mode and owner as text (``0644 root:root``)."""

    data: bytes = field(repr=False)
    owner: str


def difference(path: str, old: Content | None, new: Content | None, *, secret: bool) -> str:
    """Return a unified difference; None stands for "not there"."""
    head = ""
    if old is not None and new is not None and old.owner != new.owner:
        head = f"{old.owner} -> {new.owner}\n"
    before, after = old.data if old else b"", new.data if new else b""
    if before == after:
        return head
    if secret:
        return head + HIDDEN
    texts = _text(before), _text(after)
    if texts[0] is None or texts[1] is None:
        return head + f"binary: {len(before)} -> {len(after)} bytes"
    lines = _lines(texts[0]), _lines(texts[1])
    if len(lines[0]) + len(lines[1]) > LINES_MAX:
        return head + f"{len(lines[0])} -> {len(lines[1])} lines"
    names = path if old else "/dev/null", path if new else "/dev/null"
    unified = difflib.unified_diff(lines[0], lines[1], names[0], names[1])
    return head + "".join(_ended(line) for line in unified)


def _text(data: bytes) -> str | None:
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _lines(text: str) -> list[str]:
    """Split at line feeds only; ``str.splitlines`` also splits at form feeds and the like."""
    return [*io.StringIO(text, newline="\n")]


def _ended(line: str) -> str:
    return line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"
