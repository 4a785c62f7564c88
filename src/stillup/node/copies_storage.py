"""What this server says of the shared storage, where several servers keep it: its copy, its mount.

Daemons look and write down what they saw, so that a storage that hangs is not asked. What they saw is some seconds
old; whether a file is behind is read here and now, so that a copy is not called whole that has just stopped being it.
"""

import json

from stillup.node.disk import read_regular
from stillup.node.message import JsonObject
from stillup.node.world import World, at

SETTINGS = "/etc/stillup/storage.json"
STATE = "/run/stillup/storage/state.json"
MOUNT = "/etc/stillup/shared.json"
WATCHED = "/run/stillup/shared.json"
INDEX = "/srv/stillup/brick/data/.glusterfs/indices/xattrop"
"""Of each file that another server's copy lacks something of, an entry; and Gluster's own "xattrop-" ones."""
OLD_S = 15.0


def look(world: World) -> JsonObject | None:
    """Return the copy as ``stillup.node.copies`` has it; None where no group of servers is."""
    given = _read(world, SETTINGS)
    members, arbiter, name = given.get("members"), given.get("arbiter"), given.get("name")
    if not isinstance(members, dict) or name == arbiter:
        return None
    told = _read(world, STATE)
    why = _silent(world, STATE, "the storage's keeper does not look") or str(told.get("why", ""))
    if not why and (count := _behind(world)):
        why = f"{count} {'file is' if count == 1 else 'files are'} still to heal"
    return {
        "well": not why and told.get("well") is True,
        "why": why,
        "peers": [other for other in members if other not in (name, arbiter)],
        "leads": False,
        "born": told.get("born") is True,
        "size": _size(told),
    }


def _behind(world: World) -> int:
    try:
        names = [place.name for place in at(world, INDEX).iterdir()]
    except OSError:
        return 0
    return sum(not name.startswith("xattrop-") for name in names)


def _size(told: JsonObject) -> int:
    """Return how many servers are connected here, this one and the arbiter with them; 0 if not known."""
    connected = told.get("connected")
    return 1 + len(connected) if isinstance(connected, list) else 0


def mounted(world: World) -> JsonObject | None:
    """Return how the mounted storage is; None where Gluster's is not mounted."""
    if not _read(world, MOUNT):
        return None
    told = _read(world, WATCHED)
    why = _silent(world, WATCHED, "nobody looks at the shared storage") or str(told.get("why", ""))
    return {"well": not why and told.get("well") is True, "why": why}


def _silent(world: World, path: str, words: str) -> str:
    try:
        age_s = world.wall_s() - at(world, path).stat().st_mtime
    except OSError:
        return words
    return "" if age_s < OLD_S else words


def _read(world: World, path: str) -> JsonObject:
    try:
        found = json.loads(read_regular(at(world, path)) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
