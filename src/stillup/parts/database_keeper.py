"""The database's keeper: starts MariaDB safely, agrees on the writer, and tells HAProxy who it is."""

import json
from collections.abc import Mapping

from stillup.model.farm import Farm, Role, Secrets, Server
from stillup.model.tiebreakers import database_arbiter
from stillup.node.bundle import Directory, File, Health, Unit
from stillup.parts import keeper, ports

SETTINGS = "/etc/stillup/database.json"
KEY = "/etc/stillup/cluster.key"
UNIT = "stillup-database.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
DIRECTORIES: tuple[Directory, ...] = keeper.DIRECTORIES
PATHS = (SETTINGS, KEY, f"{keeper.CODE}/")
CHECK = (*keeper.RUN, "check")
STARTS = "/etc/systemd/system/mariadb.service.d/zz-stillup-keeper.conf"
"""Debian's unit as the keeper wants it, after every other drop-in: no start without its permit."""
WITHIN_S = 280
"""How long an apply waits for a server to be a whole member of the group: a copy of everything takes
its time, and what goes on for longer is carried on by the next apply."""


def files(
    farm: Farm, server: Server, secrets: Secrets, code: Mapping[str, str]
) -> tuple[File, ...]:
    """Return the keeper's code, settings, key and unit."""
    return (
        *keeper.code_files(code),
        File(SETTINGS, settings(farm, server)),
        File(KEY, f"{secrets.cluster_key}\n", mode=0o600, secret=True),
        File(UNIT_FILE, keeper.unit(UNIT)),
        File(STARTS, keeper.unit("mariadb-kept.service")),
    )


def settings(farm: Farm, server: Server) -> str:
    """Return the keeper's settings as JSON; ``stillup.keeper`` reads them."""
    arbiter = database_arbiter(farm)
    others = (other for other in farm.having(Role.DATABASE) if other != server)
    values = {
        "farm": farm.name,
        "name": server.name,
        "address": str(server.address),
        "port": ports.KEEPER,
        "peers": {other.name: str(other.address) for other in others},
        "arbiter": arbiter.name if arbiter else None,
        "key_file": KEY,
    }
    return json.dumps(values, indent=2) + "\n"


def unit() -> Unit:
    """Return the keeper's unit; MariaDB is a unit of its own and goes on without it."""
    return Unit(UNIT, reload_on=PATHS, restart_on=(UNIT_FILE,))


def when_ready(script: str) -> str:
    """Return a shell's words that do ``script`` when this server is a member of the group."""
    return f"{_READY} && {script}"


def restart() -> tuple[str, ...]:
    """Return what restarts MariaDB in order: another server, if there is one, writes first."""
    return (*keeper.RUN, "restart", "--within", str(WITHIN_S))


def health() -> Health:
    """Return that this server is a member of the group, by the keeper's own word."""
    return Health("the database is in its group", (*keeper.RUN, "ready", "--within", "2"), 60)


_RUN = " ".join(keeper.RUN)
_READY = f"{_RUN} ready --within {WITHIN_S}"
