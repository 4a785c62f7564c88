"""How this server stands, for ``stillup status``: quick, and without changing anything.

units       {name: systemd's ActiveState} of the units we manage
load        load average over one minute
disks       [{"path","free","size","read_only"}] of each file system the farm's data are on
uptime_s    seconds since the server started
heartbeat   the daemon's status, as it tells it; null if there is none
haproxy     [{"backend","server","status","weight","drain","check","sessions","since_s",
            "drained_by": "user"|"apply"|null}]; null if none answers
database    {"up": bool, "uptime_s": int, "connections": int} or {"up": false, "reason"};
            null where none is managed
shared      {"well", "why"} of the shared storage that is mounted here; null where Gluster's is not
copies      what it says of its copies of the database and the files; see ``stillup.node.copies``
has_group   it belongs to a group of database servers, or may found one
firewall    whether its rules are in the kernel; null where none is managed
release     the current release of the site; null if there is none
manifest    {"at": seconds since 1970, "bundle": sha256}; null if nothing was ever applied
unfinished  an apply was interrupted
clock       seconds since 1970

Who waits for one of them asks for that alone: all of them are a dozen processes, and a farm is
waited for just when it has least to spare.
"""

import os
from collections.abc import Callable, Collection, Mapping

from stillup.errors import InputRefused, ServerFailed
from stillup.node import daemon, haproxy, release
from stillup.node.compare import Known
from stillup.node.copies import copies, has_group
from stillup.node.copies_storage import mounted
from stillup.node.disk import read_regular
from stillup.node.message import Json, JsonObject
from stillup.node.recover import known
from stillup.node.room import disks
from stillup.node.said import first_lines
from stillup.node.units import show
from stillup.node.world import World, at

DATABASE_UNIT = "mariadb.service"
DATABASE_S = 3.0
FIREWALL_UNIT = "stillup-firewall.service"
FIREWALL = ("nft", "list", "chain", "inet", "stillup_firewall", "input")
ASKED = (
    "SELECT VARIABLE_NAME, VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS "
    "WHERE VARIABLE_NAME IN ('UPTIME', 'THREADS_CONNECTED')"
)


def state(world: World, parts: Collection[str] = ()) -> JsonObject:
    """Return how the server stands; the shape is above.

    Args:
        world: This server.
        parts: The keys that are wanted, and nothing else is looked at; none of them for all.

    Raises:
        InputRefused: If there is no such part.
    """
    for part in parts:
        if part not in PARTS:
            raise InputRefused(f"state: there is no part {part!r}")
    ours = known(world)
    return {part: look(world, ours) for part, look in PARTS.items() if part in parts or not parts}


def _units(world: World, ours: Known) -> JsonObject:
    return {name: unit.active for name, unit in show(world, ours.units()).items()}


def _uptime_s(world: World, _ours: Known) -> float:
    # In a container /proc/uptime is the host's; since when init runs is the machine's own.
    text = (read_regular(at(world, "/proc/uptime")) or b"0").split()
    stat = (read_regular(at(world, "/proc/1/stat")) or b"").rpartition(b")")[2].split()
    began = int(stat[19]) / os.sysconf("SC_CLK_TCK") if len(stat) > 19 else 0.0
    return round(float(text[0]) - began, 2)


def _heartbeat(world: World, _ours: Known) -> JsonObject | None:
    try:
        return daemon.ask(world, {"op": "status"})
    except ServerFailed:
        return None


def _haproxy(world: World, _ours: Known) -> Json:
    try:
        return [haproxy.as_json(target) for target in haproxy.targets(world)]
    except ServerFailed:
        return None


def _database(world: World, ours: Known) -> JsonObject | None:
    if DATABASE_UNIT not in ours.units():
        return None
    ran = world.run(
        ["mariadb", "--batch", "--skip-column-names", f"--connect-timeout={DATABASE_S:.0f}"],
        stdin=ASKED.encode(),
        within_s=DATABASE_S + 1,
    )
    if ran.code:
        return {"up": False, "reason": first_lines(ran)}
    told = dict(line.split("\t", 1) for line in ran.out.decode().splitlines() if "\t" in line)
    return {
        "up": True,
        "uptime_s": int(told.get("UPTIME", "0")),
        "connections": int(told.get("THREADS_CONNECTED", "0")),
    }


def _firewall(world: World, ours: Known) -> bool | None:
    if FIREWALL_UNIT not in ours.units():
        return None
    # "active" only says that it was loaded once; another program may have flushed all rules.
    return world.run([*FIREWALL]).code == 0


def _manifest(_world: World, ours: Known) -> JsonObject | None:
    if ours.manifest is None:
        return None
    return {"at": ours.manifest.at, "bundle": ours.manifest.bundle}


PARTS: Mapping[str, Callable[[World, Known], Json]] = {
    "units": _units,
    "load": lambda _world, _ours: os.getloadavg()[0],
    "disks": lambda world, _: disks(world),
    "uptime_s": _uptime_s,
    "heartbeat": _heartbeat,
    "haproxy": _haproxy,
    "database": _database,
    "copies": lambda world, _: copies(world),
    "has_group": lambda world, _: has_group(world),
    "shared": lambda world, _: mounted(world),
    "firewall": _firewall,
    "release": lambda world, _: release.seen(world),
    "manifest": _manifest,
    "unfinished": lambda _, ours: ours.journal is not None,
    "clock": lambda world, _: world.wall_s(),
}
