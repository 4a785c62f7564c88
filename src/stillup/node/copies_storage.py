"""What this server says of its copy of the storage, where several servers keep one."""

import json

from stillup.node.disk import read_regular
from stillup.node.message import JsonObject
from stillup.node.world import World, at

SETTINGS = "/etc/stillup/storage.json"
STATE = "/run/stillup/storage/state.json"
OLD_S = 15.0


def look(world: World) -> JsonObject | None:
    """Return the copy as ``stillup.node.copies`` has it; None where no group of servers is.

    The keeper looks every few seconds and writes it down, so this is quick whatever hangs.
    """
    given = _read(world, SETTINGS)
    members, arbiter, name = given.get("members"), given.get("arbiter"), given.get("name")
    if not isinstance(members, dict) or name == arbiter:
        return None
    told = _read(world, STATE)
    why = _silent(world) or str(told.get("why", ""))
    return {
        "well": not why and told.get("well") is True,
        "why": why,
        "peers": [other for other in members if other not in (name, arbiter)],
        "leads": False,
        "born": told.get("born") is True,
    }


def _silent(world: World) -> str:
    try:
        age_s = world.wall_s() - at(world, STATE).stat().st_mtime
    except OSError:
        age_s = OLD_S
    return "" if age_s < OLD_S else "the storage's keeper does not look"


def _read(world: World, path: str) -> JsonObject:
    try:
        found = json.loads(read_regular(at(world, path)) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
