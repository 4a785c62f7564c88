"""Settings from the heartbeat's own TOML: the keys of the JSON, friendlier: pure.

What a person would write differently is translated, everything else is passed on by its name:
durations with units, ``key`` for the file of keys, the prefix behind the address, and what
this server knows of itself may be left out. Problems come all at once, each with its line.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import cast

from stillup.alone.server import Server
from stillup.errors import InputRefused
from stillup.heartbeat.changing import LEASE_MS
from stillup.heartbeat.settings import KNOWN, DaemonSettings, of_values
from stillup.heartbeat.settings_reader import Json
from stillup.model.document import Document, read_document
from stillup.model.problems import Path, Problem, in_order, listing, nearest, shown
from stillup.model.quantities import DurationBetween
from stillup.model.refused import ValueRefused

KEY_FILE = "heartbeat.key"
FARM = "heartbeat"
DURATIONS: Mapping[str, tuple[str, DurationBetween, Callable[[float], Json]]] = {
    "lease": (
        "lease_ms",
        DurationBetween(f"{LEASE_MS[0]}ms", f"{LEASE_MS[1] // 1000}s"),
        lambda seconds: round(seconds * 1000),
    ),
    "drain": ("drain_s", DurationBetween("0s", "1440min"), lambda seconds: seconds),
}
OTHERWISE = {"key_file": "key", **{json: toml for toml, (json, _, _) in DURATIONS.items()}}
"""What a key of the JSON is called in the TOML."""

_PLACE = re.compile(r"([^:\s]+): (.*)", re.DOTALL)
_PART = re.compile(r"[^.\[\]]+|\[\d+\]")
Told = list[tuple[Path, str]]


def read(data: bytes, file: str, server: Server) -> DaemonSettings:
    """Return the settings in ``data``.

    Args:
        data: The TOML.
        file: Its path, for the problems and for the key file beside it.
        server: What it may leave out.

    Raises:
        InputRefused: With every problem, each with its line.
    """
    if not data.strip():
        raise InputRefused(f"{file}: is empty; docs/heartbeat-alone.md has one to start from")
    document = read_document(data, file)
    if isinstance(document, Problem):
        raise InputRefused(str(document))
    told: Told = []
    settings, problems = of_values(_values(document, server, told))
    told += [_placed(problem) for problem in problems if not _is_told(problem, told)]
    if told:
        raise InputRefused(listing(in_order(_problem(document, *each) for each in told)))
    return settings


def _values(document: Document, server: Server, told: Told) -> dict[str, Json]:
    # TOML has dates besides what JSON has; the reader refuses them by name like any wrong type.
    given = dict(cast("dict[str, Json]", document.values))
    for key, (name, between, into) in DURATIONS.items():
        if key in given:
            given[name] = _duration(given.pop(key), key, between, into, told)
    key_file = given.pop("key", KEY_FILE)
    given["key_file"] = (
        str(PurePath(document.name).parent / key_file)
        if isinstance(key_file, str) and key_file
        else key_file
    )
    given.setdefault("farm", FARM)
    if isinstance(given.get("vips"), list):
        given["vips"] = [_vip(each) for each in cast("list[Json]", given["vips"])]
    _own(given, server, told)
    return given


def _duration(
    value: Json, key: str, between: DurationBetween, into: Callable[[float], Json], told: Told
) -> Json:
    if not isinstance(value, str):
        told.append(((key,), f'{shown(value)} has no unit; write a text with one, as "500ms"'))
        return None
    try:
        return into(between(value))
    except ValueRefused as refusal:
        told.append(((key,), refusal.text))
        return None


def _vip(value: Json) -> Json:
    """Return a virtual IP as the JSON has it; ``"10.0.0.1/24"`` stands for one."""
    vip: dict[str, Json] = {"address": value} if isinstance(value, str) else {}
    if isinstance(value, dict):
        vip = dict(value)
    address = vip.get("address")
    if isinstance(address, str) and "/" in address and "prefix" not in vip:
        before, _, prefix = address.partition("/")
        vip["address"], vip["prefix"] = before, int(prefix) if prefix.isdecimal() else prefix
    return vip or value


def _own(given: dict[str, Json], server: Server, told: Told) -> None:
    """Fill in what this server knows of itself."""
    voters = given.get("voters")
    known = voters if isinstance(voters, dict) else {}
    if "name" not in given:
        given["name"] = server.name
        if known and server.name not in known:
            told.append(
                (
                    ("name",),
                    f"this server is called {server.name} (uname -n), which is not in "
                    'voters; say which one it is, as name = "lb1"',
                )
            )
    name, address = given["name"], None
    if isinstance(name, str) and isinstance(known.get(name), str):
        address = known[name]
    if "address" not in given and address is not None:
        given["address"] = address
    if "interface" not in given and isinstance(given.get("address"), str):
        bearing = server.bearing(str(given["address"]))
        if bearing is not None:
            given["interface"] = bearing.interface
        else:
            told.append(
                (
                    ("interface",),
                    f"no interface of this server has the address {given['address']}; "
                    'say which one it will be on, as interface = "eth0"',
                )
            )


def _is_told(problem: str, told: Told) -> bool:
    """Return whether something was said of this key already, or will be once that is mended."""
    first = _placed(problem)[0][:1]
    said = {path[:1] for path, _ in told}
    follows = first in {("address",), ("interface",)}
    return first in said or (follows and said & {("name",), ("voters",)} != set())


def _placed(problem: str) -> tuple[Path, str]:
    found = _PLACE.fullmatch(problem)
    if found is None:
        return (), problem
    parts = _PART.findall(found[1])
    path: Path = tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts)
    if path and isinstance(path[0], str):
        path = (OTHERWISE.get(path[0], path[0]), *path[1:])
    return path, found[2]


def _problem(document: Document, path: Path, text: str) -> Problem:
    if text == "there is no such setting":
        known = {OTHERWISE.get(key, key) for key in KNOWN}
        meant = nearest(str(path[0]), known)
        text = f"there is no such key; did you mean {meant}?" if meant else "there is no such key"
        return Problem(document.name, document.lines.line(path), str(path[0]), text, "unknown-key")
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return Problem(
        document.name, document.lines.line(path), place.lstrip("."), text, "heartbeat-settings"
    )
