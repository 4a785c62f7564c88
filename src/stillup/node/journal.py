"""The journal of a change under way: what is needed to carry it on or to take it back.

``/var/lib/stillup/journal/journal.json`` is written and flushed before anything is touched, and removed
when the change is complete or taken back. A server that has one was interrupted. The next
apply carries it on: its journal takes over what the earlier one says (``merged``), so

- the place to go back to stays what it was before the *first* of them began;
- what the earlier one wrote is not mistaken for a hand-made change;
- units whose files it swapped, but which it did not get to reload, are reloaded.

The manifest names the journal it completes; one that is complete is only cleaned away.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from stillup.node.disk import read_regular, write_whole
from stillup.node.manifest import FOLDER, Stamp, stamp_from, stamp_json
from stillup.node.message import Json, JsonObject
from stillup.node.world import World, at

JOURNALS = f"{FOLDER}/journal"
PATH = f"{JOURNALS}/journal.json"


@dataclass(frozen=True, slots=True)
class UnitBefore:
    """How a unit stood before the change."""

    active: bool
    enabled: bool


@dataclass(frozen=True, slots=True)
class Journal:
    """A change under way."""

    key: str
    """A word that no other journal has."""
    planned: Mapping[str, tuple[Stamp, ...]] = field(default_factory=dict)
    """Each path under change with every state this change may have left it in."""
    existed: Mapping[str, bool] = field(default_factory=dict)
    """Each path under change: was there anything before? Kept beside it (``disk.keep_old``)."""
    units: Mapping[str, UnitBefore] = field(default_factory=dict)
    sysctls: Mapping[str, str] = field(default_factory=dict)
    directories: Mapping[str, tuple[int, str, str] | None] = field(default_factory=dict)
    """Each folder under change with its mode, owner and group before; None: it is new."""
    fresh: tuple[str, ...] = ()
    """Paths that did not exist before this change's packages; what is there now is theirs."""
    damaged: bool = False
    """The file could not be read: a change was under way, nothing else is known of it."""


def merged(earlier: Journal | None, later: Journal) -> Journal:
    """Return the journal of ``later`` carrying on what ``earlier`` began."""
    if earlier is None:
        return later
    paths = {**earlier.planned, **later.planned}
    return Journal(
        key=later.key,
        planned={
            path: tuple(
                dict.fromkeys((*earlier.planned.get(path, ()), *later.planned.get(path, ())))
            )
            for path in paths
        },
        existed={**later.existed, **earlier.existed},
        units={**later.units, **earlier.units},
        sysctls={**later.sysctls, **earlier.sysctls},
        directories={**later.directories, **earlier.directories},
        fresh=tuple(sorted({*earlier.fresh, *later.fresh})),
        damaged=earlier.damaged or later.damaged,
    )


def read_journal(world: World) -> Journal | None:
    """Return the journal of an interrupted change; None if none was."""
    data = read_regular(at(world, PATH))
    if data is None:
        return None
    try:
        return _journal(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Journal(key="damaged", damaged=True)


def write_journal(world: World, journal: Journal) -> None:
    """Write it, atomically and flushed."""
    write_whole(at(world, PATH), json.dumps(_json(journal), indent=1).encode())


def remove_journal(world: World) -> None:
    """Remove it: the change is complete or taken back."""
    at(world, PATH).unlink(missing_ok=True)


def _json(journal: Journal) -> JsonObject:
    return {
        "key": journal.key,
        "planned": {
            path: [stamp_json(stamp) for stamp in stamps]
            for path, stamps in journal.planned.items()
        },
        "existed": dict(journal.existed),
        "units": {name: [unit.active, unit.enabled] for name, unit in journal.units.items()},
        "sysctls": dict(journal.sysctls),
        "directories": {
            path: None if before is None else list(before)
            for path, before in journal.directories.items()
        },
        "fresh": list(journal.fresh),
        "damaged": journal.damaged,
    }


def _journal(data: dict[str, Json]) -> Journal:
    return Journal(
        key=str(data["key"]),
        planned={path: _stamps(stamps) for path, stamps in _table(data["planned"]).items()},
        existed={path: bool(there) for path, there in _table(data["existed"]).items()},
        units={name: _unit(unit) for name, unit in _table(data["units"]).items()},
        sysctls={key: str(value) for key, value in _table(data["sysctls"]).items()},
        directories={path: _owner(was) for path, was in _table(data["directories"]).items()},
        fresh=tuple(str(path) for path in _list(data["fresh"])),
        damaged=bool(data["damaged"]),
    )


def _table(data: Json) -> dict[str, Json]:
    if not isinstance(data, dict):
        raise TypeError("table")
    return data


def _list(data: Json) -> list[Json]:
    if not isinstance(data, list):
        raise TypeError("list")
    return data


def _stamps(data: Json) -> tuple[Stamp, ...]:
    return tuple(stamp_from(_table(stamp)) for stamp in _list(data))


def _unit(data: Json) -> UnitBefore:
    active, enabled = _list(data)
    return UnitBefore(bool(active), bool(enabled))


def _owner(data: Json) -> tuple[int, str, str] | None:
    if data is None:
        return None
    mode, owner, group = _list(data)
    if not isinstance(mode, int):
        raise TypeError("mode")
    return mode, str(owner), str(group)
