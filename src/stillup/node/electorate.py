"""Who votes, while that is being changed: a file beside the heartbeat's settings.

It is no part of a bundle: it comes and goes between two states of the farm, in rounds of its own
(``stillup.deploy.membership``), and outweighs the settings as long as it is there.
"""

import json

from stillup.errors import ServerFailed
from stillup.node.disk import read_regular, write_whole
from stillup.node.message import JsonObject
from stillup.node.said import first_lines
from stillup.node.world import World, at

FILE = "/etc/stillup/heartbeat.change.json"
UNIT = "stillup-heartbeat.service"
RELOAD_S = 60.0


def set_change(world: World, change: JsonObject | None) -> bool:
    """Put the change in force, or (None) remove it; return whether anything was to be done.

    A daemon that runs goes by it when this returns; one that does not, when it starts.

    Raises:
        ServerFailed: If the daemon does not take it; the file is then as it was.
    """
    place = at(world, FILE)
    before = read_regular(place)
    after = None if change is None else json.dumps(change, indent=2, sort_keys=True).encode()
    if before == after:
        # It may have been put there by an apply that was killed before the daemon was told.
        _reload(world)
        return False
    _put(world, after)
    try:
        _reload(world)
    except ServerFailed:
        _put(world, before)
        raise
    return True


def _put(world: World, data: bytes | None) -> None:
    place = at(world, FILE)
    if data is None:
        place.unlink(missing_ok=True)
    else:
        place.parent.mkdir(mode=0o755, exist_ok=True)
        write_whole(place, data, 0o640)


def _reload(world: World) -> None:
    if world.run(["systemctl", "is-active", "--quiet", UNIT]).code:
        return
    ran = world.run(["systemctl", "reload", UNIT], within_s=RELOAD_S)
    if ran.code:
        raise ServerFailed(f"the heartbeat does not take who votes now: {first_lines(ran)}")
