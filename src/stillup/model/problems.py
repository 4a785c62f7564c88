"""Problems in what the user wrote: values, all reported at once, each with its place.

A problem names the file, the line, the path of the key, what is wrong (with the value) and
the way out, and a stable code in brackets that scripts and searches can rely on:
``farm.toml:31: vip.addresses: 10.0.1.1 is outside the LAN 10.0.0.0/24 [vip-outside-lan]``.

What users wrote is never echoed raw: control characters are escaped and long values cut,
so that a broken file cannot play tricks on the terminal.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from difflib import get_close_matches
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Where a value stands in a TOML document: keys, and indexes of arrays."""

_SHOWN_CHARACTERS = 60
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_TOML_INTEGER = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a file the user wrote; ``line`` counts from 1."""

    file: str
    line: int
    path: str
    text: str
    code: str

    def __str__(self) -> str:
        """Return the one line that users and editors read."""
        place = f"{self.path}: " if self.path else ""
        return f"{printable(self.file)}:{self.line}: {place}{self.text} [{self.code}]"


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems by line, each once."""
    return tuple(sorted(set(problems), key=lambda p: (p.line, p.path, p.code, p.text)))


def listing(problems: Sequence[Problem]) -> str:
    """Return all problems as one message: how many, then one a line."""
    files = sorted({printable(problem.file) for problem in problems})
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = "\n".join(str(problem) for problem in problems)
    return f"{count} in {' and '.join(files)}\n{lines}"


def shown_path(path: Path) -> str:
    """Return a path as TOML would write it; indexes are left out, the text holds the value."""
    return ".".join(shown_key(part) for part in path if isinstance(part, str))


def shown_key(key: str) -> str:
    """Return a key as TOML would write it, bounded and free of control characters."""
    return key if _BARE_KEY.fullmatch(key) and len(key) <= _SHOWN_CHARACTERS else shown(key)


def shown(value: object) -> str:
    """Return a TOML value as the user would write it, bounded and printable."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{_cut(printable(value))}"'
        case int():
            return str(value) if value in _TOML_INTEGER else "a number beyond 64 bits"
        case float():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            return "a table"
        case list():
            return _cut("[" + ", ".join(shown(item) for item in value[:_SHOWN_CHARACTERS]) + "]")
        case _:
            return "this value"


def printable(text: str) -> str:
    """Return ``text`` with every unprintable character as its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``word`` was most likely meant to be, or None."""
    choices = list(known)
    lowered = {choice.lower(): choice for choice in choices}
    found = get_close_matches(word.lower()[:_SHOWN_CHARACTERS], lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def joined(words: Sequence[str], last: str = "and") -> str:
    """Return words as a person lists them: ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."
