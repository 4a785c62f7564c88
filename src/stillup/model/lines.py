"""On which line of a TOML document each key stands.

``tomllib`` gives values without lines, and every problem must name its line. So the text is
walked a second time, for structure only: headers, keys, inline tables and arrays; values
are skipped. For a document that ``tomllib`` accepts every key and every element of an
array gets the line it begins on. Any other text is walked without an error and in linear
time, which gives the lines of doubled keys and the depth of nesting before ``tomllib``
(recursive, and quadratic in the parts of a dotted key) is let near it.

Source: TOML 1.0.0, sections Keys, Table, Inline Table, Array of Tables.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from stillup.model.problems import Path

# An unclosed string runs to the end of its line (or text), so that no text makes the search
# go back over what it has read. Quantifiers are possessive for the same reason.
_TOKEN = re.compile(
    r"""
      (?P<comment> \#[^\n]* )
    | (?P<string>
          \"{3} (?: [^"\\] | \\[\s\S] | "{1,2}(?!") )*+ (?: "{3,5} | \\?\Z )
        | '{3}  (?: [^']   | '{1,2}(?!') )*+ (?: '{3,5} | \Z )
        | "     (?: [^"\\\n] | \\[^\n] )*+ "?
        | '     [^'\n]*+ '? )
    | (?P<newline> \n )
    | (?P<space> [^\S\n]+ )
    | (?P<sign> [\[\]{}=,.] )
    | (?P<bare> [^\s\#"'\[\]{}=,.]+ )
    """,
    re.VERBOSE,
)

MOST_DEPTH = 16
"""No farm file needs more; deeper ones are refused before ``tomllib`` reads them."""


@dataclass(frozen=True, slots=True)
class Doubled:
    """A key or table that is given a second time, on ``line``."""

    path: Path
    first_line: int
    line: int


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a document's keys, counted from 1."""

    starts: Mapping[Path, int]
    doubled: tuple[Doubled, ...]
    depth: int
    """The most keys and brackets one value stands inside of."""
    depth_line: int
    unclosed_line: int | None
    """The line of the first bracket that the end of the text finds open."""

    def line(self, path: Path) -> int:
        """Return the line of ``path``, or of the nearest table round it, or 1."""
        while path:
            if path in self.starts:
                return self.starts[path]
            path = path[:-1]
        return 1


def lines_of(text: str) -> Lines:
    """Return the lines of a TOML text, as far as it is not too deep; never raises."""
    walk = _Walk()
    for kind, word, line in _tokens(text):
        walk.step(kind, word, line)
        if walk.depth > MOST_DEPTH:
            break  # The text is refused, and ever longer paths would cost square time.
    return Lines(
        starts=walk.starts,
        doubled=tuple(walk.doubled),
        depth=walk.depth,
        depth_line=walk.depth_line,
        unclosed_line=walk.containers[0].line if walk.containers else None,
    )


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        kind, word = match.lastgroup or "", match.group()
        if kind not in {"comment", "space"}:
            yield kind, word, line
        line += word.count("\n")


class _Expect(Enum):
    KEY = auto()
    HEADER = auto()
    VALUE = auto()
    END = auto()


@dataclass(slots=True)
class _Container:
    """An open array (``index`` is a number) or inline table (``index`` is None)."""

    path: Path
    line: int
    index: int | None


@dataclass(slots=True)
class _Walk:
    """The state of the walk: where in the document the next token stands."""

    starts: dict[Path, int] = field(default_factory=dict)
    doubled: list[Doubled] = field(default_factory=list)
    depth: int = 0
    depth_line: int = 1
    containers: list[_Container] = field(default_factory=list)
    _given: dict[Path, int] = field(default_factory=dict)
    _tables_in: dict[Path, int] = field(default_factory=dict)
    _expect: _Expect = _Expect.KEY
    _table: Path = ()
    _key: list[str] = field(default_factory=list)
    _key_line: int = 1
    _brackets: int = 0

    def step(self, kind: str, word: str, line: int) -> None:
        match self._expect:
            case _Expect.KEY:
                self._in_key(kind, word, line)
            case _Expect.HEADER:
                self._in_header(kind, word, line)
            case _Expect.VALUE:
                self._in_value(kind, word, line)
            case _Expect.END:
                self._after_value(kind, word)

    def _in_key(self, kind: str, word: str, line: int) -> None:
        if kind in {"bare", "string"}:
            self._add_part(word, line)
        elif word == "[" and not self.containers and not self._key:
            self._expect, self._brackets = _Expect.HEADER, 1
        elif word == "=":
            self._define(self._here(), self._key_line)
            self._expect = _Expect.VALUE
        elif word in {"}", "]"}:
            self._close()
        elif word in {",", "\n"}:
            self._key = []

    def _in_header(self, kind: str, word: str, line: int) -> None:
        if kind in {"bare", "string"}:
            self._add_part(word, line)
        elif word == "[" and not self._key:
            self._brackets += 1
        elif word in {"]", "\n"}:
            # The second bracket of ``]]`` finds no key left and changes nothing.
            if self._key:
                self._open_table()
            if word == "\n":
                self._expect = _Expect.KEY

    def _in_value(self, kind: str, word: str, line: int) -> None:
        inside = self.containers[-1] if self.containers else None
        in_array = inside is not None and inside.index is not None
        if kind == "newline":
            if inside is None:
                self._expect, self._key = _Expect.KEY, []
            return
        if word in {"]", "}"}:
            self._close()
            return
        if in_array:
            self.starts.setdefault(self._here(), line)
        if word in {"[", "{"}:
            self._open(word, line)
        else:
            self._expect = _Expect.END

    def _after_value(self, kind: str, word: str) -> None:
        if word == ",":
            self._next()
        elif word in {"]", "}"}:
            self._close()
        elif kind == "newline" and not self.containers:
            self._expect, self._key = _Expect.KEY, []

    def _next(self) -> None:
        self._key = []
        if self.containers and self.containers[-1].index is not None:
            self.containers[-1].index += 1
            self._expect = _Expect.VALUE
        else:
            self._expect = _Expect.KEY

    def _open(self, word: str, line: int) -> None:
        array = word == "["
        self._deepen(len(self.containers) + 1, line)
        self.containers.append(_Container(self._here(), line, 0 if array else None))
        self._key = []
        self._expect = _Expect.VALUE if array else _Expect.KEY

    def _close(self) -> None:
        if self.containers:
            self.containers.pop()
        self._key = []
        self._expect = _Expect.END

    def _here(self) -> Path:
        """Return the path of the key or element that the walk is at."""
        if not self.containers:
            return (*self._table, *self._key)
        inside = self.containers[-1]
        return (*inside.path, *(self._key if inside.index is None else (inside.index,)))

    def _add_part(self, word: str, line: int) -> None:
        if not self._key:
            self._key_line = line
        self._deepen(len(self._key) + 1, line)
        self._key.append(_key_part(word))

    def _define(self, path: Path, line: int) -> None:
        for end in range(1, len(path) + 1):
            self.starts.setdefault(path[:end], line)
        if path in self._given:
            self.doubled.append(Doubled(path, self._given[path], line))
        self._given.setdefault(path, line)

    def _open_table(self) -> None:
        path: Path = ()
        for part in self._key[:-1]:
            path = self._last_of((*path, part))
        path = (*path, self._key[-1])
        if self._brackets > 1:
            self._tables_in[path] = self._tables_in.get(path, -1) + 1
            path = self._last_of(path)
        self._define(path, self._key_line)
        self._table, self._key = path, []

    def _last_of(self, path: Path) -> Path:
        """Return the newest table of an array of tables, or the path itself."""
        return (*path, self._tables_in[path]) if path in self._tables_in else path

    def _deepen(self, depth: int, line: int) -> None:
        if depth > self.depth:
            self.depth, self.depth_line = depth, line


def _key_part(word: str) -> str:
    if word[0] not in "\"'":
        return word
    if "\\" not in word or word[0] == "'":
        return word.strip(word[0])
    try:
        return str(tomllib.loads(f"key = {word}")["key"])
    except ValueError:
        return word
