"""A node's memory as plain JSON, and back: what a daemon hands to its successor (pure).

A daemon that is replaced in place (``succession.py``) must not forget a vote that it lent, a lease
that it holds, or a word that it gave. So everything that a node remembers is pictured field by
field, whatever the fields are: whoever adds one to the core need not think of this module.

* Plain values stand for themselves; all others are an object with one key, which says what it is.
* An object that is met twice (an attempt that is confirmed and still counted) is one object again.
* Chance (``luck``) is not pictured: the successor has its own.
* A field that the picture lacks keeps the value of a fresh node: a newer version may have more.
  A field or a class that the successor does not know is refused: a version that would forget
  something must not take over.

A node is restored as it was, under the electorate that it was under; to begin under another is
``Node.reconfigure``. Times are on ``CLOCK_BOOTTIME``, which all processes of a machine share.
"""

import enum
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache

from stillup.errors import StillupError
from stillup.heartbeat.core import Node
from stillup.heartbeat.settings_reader import Json

FORMAT = 2
"""Counts changes in what a daemon hands over; formats that are not understood are refused."""

UNDERSTOOD = (1, FORMAT)
"""With the first one came one socket for all servers; the pictures are the same."""

PACKAGE = "stillup.heartbeat."
SIMULATOR = "stillup.heartbeat.simulator."


class NotUnderstood(StillupError):
    """This picture is of another version, or of something that cannot be pictured."""

    code = "snapshot-not-understood"


def picture(value: object) -> Json:
    """Return the picture of a node, or of any value that nodes are made of.

    Raises:
        NotUnderstood: If there is something in it that cannot be pictured.
    """
    return _Painter().paint(value)


def restore(node: Node, pictured: Json) -> None:
    """Give a fresh node the memory in a picture.

    Args:
        node: A fresh one; all that it is made of becomes what is pictured.
        pictured: What ``picture`` returned.

    Raises:
        NotUnderstood: If the picture says what this version does not know.
    """
    _Reader(node.candidate.luck).fill(node, _content(pictured, "Node"))


def value(pictured: Json) -> object:
    """Return the value in a picture that is no node's.

    Raises:
        NotUnderstood: If the picture says what this version does not know.
    """
    return _Reader(None).read(pictured)


@dataclass(slots=True)
class _Painter:
    """Makes one picture; remembers what it has met."""

    _met: dict[int, int] = field(default_factory=dict)

    def paint(self, value: object) -> Json:
        if value is None or type(value) in (bool, int, float, str):
            return value  # type: ignore[return-value] # the line above says so
        match value:
            case deque():
                return {"deque": [value.maxlen, [self.paint(item) for item in value]]}
            case list() | tuple() if type(value) in (list, tuple):
                return {type(value).__name__: [self.paint(item) for item in value]}
            case bytes():
                return {"bytes": value.hex()}
            case enum.Enum():
                return {"choice": [_known(value), value.name]}
            case dict():
                return {
                    "dict": [[self.paint(key), self.paint(item)] for key, item in value.items()]
                }
            case set() | frozenset():
                return {type(value).__name__: [self.paint(item) for item in sorted(value)]}
            case _:
                return {"luck": True} if callable(value) else self._object(value)

    def _object(self, value: object) -> Json:
        if id(value) in self._met:
            return {"same": self._met[id(value)]}
        name = _known(value)
        self._met[id(value)] = number = len(self._met)
        painted = {key: self.paint(item) for key, item in _state(value)}
        return {"object": [name, number, painted]}


@dataclass(slots=True)
class _Reader:
    """Makes objects of one picture."""

    _luck: object
    _met: dict[int, object] = field(default_factory=dict)

    def read(self, pictured: Json) -> object:
        if not isinstance(pictured, dict):
            return pictured
        ((kind, inner),) = pictured.items()
        match kind, inner:
            case "object", list():
                return self._object(inner)
            case "same", int():
                return self._met[inner]
            case "luck", True:
                return self._luck
            case "choice", [str(name), str(choice)]:
                return getattr(_class(name), choice)
            case "bytes", str():
                return bytes.fromhex(inner)
            case "dict", list():
                return dict(self._pair(pair) for pair in inner)
            case "deque", [int() | None as longest, list(items)]:
                return deque([self.read(item) for item in items], longest)
            case (("list" | "tuple" | "set" | "frozenset"), list()):
                return _COLLECTIONS[kind](self.read(item) for item in inner)
            case _:
                pass
        raise NotUnderstood(f"the picture says {kind!r}, which this version does not know")

    def fill(self, target: object, content: list[Json]) -> None:
        """Set the fields of an object that is there, part by part."""
        name, number, painted = _named(content)
        self._met[number] = target
        has = {key for key, _ in _state(target)}
        for key, pictured in painted.items():
            if key not in has:
                raise NotUnderstood(f"{name}.{key} is unknown to this version")
            present = getattr(target, key)
            if _is_part(present) and isinstance(pictured, dict) and "object" in pictured:
                self.fill(present, _content(pictured, type(present).__name__))
            else:
                object.__setattr__(target, key, self.read(pictured))

    def _object(self, content: list[Json]) -> object:
        name, number, painted = _named(content)
        made_of = _class(name)
        if issubclass(made_of, tuple):
            made: object = made_of(**{key: self.read(item) for key, item in painted.items()})
            self._met[number] = made
            return made
        made = made_of.__new__(made_of)
        self._met[number] = made
        known = _fields(made_of)
        for key, pictured in painted.items():
            if known is not None and key not in known:
                raise NotUnderstood(f"{name}.{key} is unknown to this version")
            object.__setattr__(made, key, self.read(pictured))
        return made

    def _pair(self, pair: Json) -> tuple[object, object]:
        assert isinstance(pair, list)
        key, item = pair
        return self.read(key), self.read(item)


_COLLECTIONS: Mapping[
    str, type[list[object] | tuple[object, ...] | set[object] | frozenset[object]]
] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}


def _state(value: object) -> Iterator[tuple[str, object]]:
    """Yield the fields of an object."""
    if isinstance(value, tuple):
        yield from zip(type(value)._fields, value, strict=True)  # type: ignore[attr-defined] # a NamedTuple
    elif is_dataclass(value):
        yield from ((each.name, getattr(value, each.name)) for each in fields(value))
    else:
        yield from vars(value).items()


def _is_part(value: object) -> bool:
    """Return whether this is a part of a node, there once and made with it."""
    is_ours = type(value).__module__.startswith("stillup.")
    return is_ours and not is_dataclass(value) and not isinstance(value, tuple | enum.Enum)


def _fields(made_of: type) -> frozenset[str] | None:
    """Return the fields that a class has; None for one that says so only as it is made."""
    return frozenset(each.name for each in fields(made_of)) if is_dataclass(made_of) else None


@cache
def _classes() -> Mapping[str, type]:
    """Return the daemon's classes by name; a name that two have is nobody's."""
    found: dict[str, set[type]] = {}
    for module in [*sys.modules.values()]:
        package = getattr(module, "__name__", "")
        if package.startswith(PACKAGE) and not package.startswith(SIMULATOR):
            for name, one in vars(module).items():
                if isinstance(one, type) and one.__module__ == package:
                    found.setdefault(name, set()).add(one)
    return {name: ones.pop() for name, ones in found.items() if len(ones) == 1}


def _known(value: object) -> str:
    name = type(value).__name__
    if _classes().get(name) is not type(value):
        raise NotUnderstood(f"a {name} cannot be pictured")
    return name


def _class(name: str) -> type:
    if name not in _classes():
        raise NotUnderstood(f"a {name} is unknown to this version")
    return _classes()[name]


def _content(pictured: Json, name: str) -> list[Json]:
    if isinstance(pictured, dict):
        content = pictured.get("object")
        if isinstance(content, list) and content[0] == name:
            return content
    raise NotUnderstood(f"where a {name} should be, the picture has something else")


def _named(content: list[Json]) -> tuple[str, int, dict[str, Json]]:
    name, number, painted = content
    assert isinstance(name, str)
    assert isinstance(number, int)
    assert isinstance(painted, dict)
    return name, number, painted
