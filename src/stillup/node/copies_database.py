"""What this server says of its copy of the database, where several servers keep one.

Beside what ``stillup.node.copies`` has, for ``stillup status``:

phase    the keeper's word for how its MariaDB stands (``stillup.keeper``); "" if it does not answer
writer   the server that it knows as the one that is written to; null if it knows none
size     how many servers are in its group, the arbiter with them; 0 outside of one
"""

import json

from stillup.node.disk import read_regular
from stillup.node.message import Json, JsonObject
from stillup.node.world import World, at

SETTINGS = "/etc/stillup/database.json"
KEEPER = "/usr/lib/stillup/keeper"
ANSWERS_S = 3.0
WELL = "member"


def look(world: World) -> JsonObject | None:
    """Return the copy as ``stillup.node.copies`` has it; None where no group of servers is."""
    settings = _object(read_regular(at(world, SETTINGS)) or b"")
    if settings is None:
        return None
    told = _keeper(world) or {"reason": "the database's keeper does not answer"}
    phase, writer, size = (told.get(key) for key in ("phase", "writer", "size"))
    well = phase == WELL
    peers = settings.get("peers")
    others: list[Json] = [*sorted(peers)] if isinstance(peers, dict) else []
    return {
        "well": well,
        "why": "" if well else str(told.get("reason") or phase or "not known"),
        "peers": others,
        "leads": well and writer is not None and writer == settings.get("name"),
        "phase": phase if isinstance(phase, str) else "",
        "writer": writer if isinstance(writer, str) else None,
        "size": size if isinstance(size, int) else 0,
    }


def _keeper(world: World) -> JsonObject | None:
    ran = world.run(
        ["python3", "-m", "stillup.keeper", "state"],
        within_s=ANSWERS_S,
        environment={"PYTHONPATH": KEEPER},
    )
    return _object(ran.out)


def _object(data: bytes) -> JsonObject | None:
    try:
        read = json.loads(data)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None
