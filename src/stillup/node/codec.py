"""A ``Bundle`` as JSON and back, and its fingerprint (pure).

The JSON has the field names of ``stillup.node.bundle``; tuples are arrays. Decoding is
strict: an unknown or missing field, a wrong type, a path that is not absolute and plain, or
a path named twice is refused with its place, so that a controller and a server of different
versions never misunderstand each other silently.
"""

import hashlib
import json
import posixpath
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import get_args, get_origin, get_type_hints

from stillup.errors import InputRefused
from stillup.node.bundle import FORMAT, Absent, Bundle, File, Link
from stillup.node.message import Json, JsonObject


def encode(bundle: Bundle) -> JsonObject:
    """Return ``bundle`` as a JSON object with its ``format``."""
    plain = _plain(bundle)
    assert isinstance(plain, dict)
    return {"format": FORMAT, **plain}


def decode(data: Json) -> Bundle:
    """Return the bundle that ``encode`` made ``data`` of.

    Raises:
        InputRefused: If it is not such an object; the text names the place.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputRefused(
            f"bundle: this server's part of stillup reads format {FORMAT} only; use one version"
        )
    body: Json = {name: value for name, value in data.items() if name != "format"}
    bundle = _value(Bundle, body, "bundle")
    assert isinstance(bundle, Bundle)
    _require_plain_paths(bundle)
    return bundle


def fingerprint(bundle: Bundle) -> str:
    """Return the sha256 (hex) of the bundle's canonical JSON."""
    text = json.dumps(encode(bundle), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> Json:
    if isinstance(value, float) and value.is_integer():
        # 60 and 60.0 are equal bundles, so they must be the same text.
        return int(value)
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    assert is_dataclass(value)
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _value(kind: object, data: Json, place: str) -> object:
    if isinstance(kind, type) and is_dataclass(kind):
        return _record(kind, data, place)
    if get_origin(kind) is tuple:
        return _tuple(get_args(kind), data, place)
    if kind is float and type(data) is int:
        return float(data)
    if type(data) is kind:
        return data
    raise InputRefused(f"{place}: expected {getattr(kind, '__name__', kind)}")


def _tuple(kinds: tuple[object, ...], data: Json, place: str) -> tuple[object, ...]:
    if not isinstance(data, list):
        raise InputRefused(f"{place}: expected an array")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(data)
    if len(kinds) != len(data):
        raise InputRefused(f"{place}: expected {len(kinds)} items, not {len(data)}")
    return tuple(
        _value(kind, item, f"{place}[{index}]")
        for index, (kind, item) in enumerate(zip(kinds, data, strict=True))
    )


@cache
def _fields(kind: type) -> tuple[dict[str, object], frozenset[str]]:
    """Return each field's type, and the names of those without a default."""
    assert is_dataclass(kind)
    required = frozenset(field.name for field in fields(kind) if field.default is MISSING)
    return get_type_hints(kind), required


def _record(kind: type, data: Json, place: str) -> object:
    if not isinstance(data, dict):
        raise InputRefused(f"{place}: expected an object")
    kinds, required = _fields(kind)
    for name in sorted(data.keys() - kinds.keys()):
        raise InputRefused(f"{place}.{name}: unknown; use one version of stillup on both ends")
    for name in sorted(required - data.keys()):
        raise InputRefused(f"{place}.{name}: missing")
    return kind(**{name: _value(kinds[name], data[name], f"{place}.{name}") for name in data})


def _require_plain_paths(bundle: Bundle) -> None:
    items: tuple[File | Link | Absent, ...] = (*bundle.files, *bundle.links, *bundle.absent)
    singles = [item.path for item in items]
    _require_once(singles, "path")
    _require_once((unit.name for unit in bundle.units), "unit")
    _require_once((directory.path for directory in bundle.directories), "directory")
    for path in (*singles, *(directory.path for directory in bundle.directories)):
        if not path.startswith("/") or posixpath.normpath(path) != path or "\0" in path:
            raise InputRefused(f"bundle: {path!r} is not a plain absolute path")


def _require_once(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputRefused(f"bundle: the {what} {name} is named twice")
        seen.add(name)
