"""The shared storage on several servers: GlusterFS, its keeper, and the mount on the web servers.

Two or three storage servers each keep every file; with two, a server of another role keeps the
names alone and is the third vote (Gluster's arbiter). ``stillup.keeper.storage`` makes the volume and
keeps it: nothing here tells one server to do something before another one.
"""

import json
from collections.abc import Mapping

from stillup.model.farm import Farm, Role, Server
from stillup.model.tiebreakers import storage_arbiter, voters
from stillup.node.bundle import Bundle, Check, File, Health, Unit
from stillup.parts import keeper, ports
from stillup.parts.base import kept_running
from stillup.parts.template import render, text

SETTINGS = "/etc/stillup/storage.json"
SHARED = "/etc/stillup/shared.json"
GLUSTERD = "/etc/glusterfs/glusterd.vol"
GLUSTERD_UNIT = "/etc/systemd/system/glusterd.service.d/stillup.conf"
LOGROTATE = "/etc/logrotate.d/glusterfs-common"
"""Debian's own, which keeps a week's logs however large they are."""
KEEPER = "stillup-storage.service"
MOUNT = "stillup-shared.service"
WATCH = "stillup-shared-watch.service"
UNITS = "/etc/systemd/system"
CODE = f"{keeper.CODE}/"
RUN = (*keeper.RUN[:-1], "stillup.keeper.storage")
MOUNTED_S = 240


def is_several(farm: Farm) -> bool:
    """Tell whether several servers keep the shared files."""
    return len(farm.having(Role.STORAGE)) > 1


def members(farm: Farm) -> tuple[Server, ...]:
    """Return every server that votes for the storage, the arbiter last; none without several."""
    return voters(farm, Role.STORAGE) if is_several(farm) else ()


def wanted(farm: Farm, server: Server, code: Mapping[str, str]) -> Bundle:
    """Return what ``server`` needs to keep the shared files, or to use them."""
    parts = []
    if server in members(farm):
        parts.append(_member(farm, server))
    if is_several(farm) and Role.WEB in server.roles:
        parts.append(_web(farm, server))
    if not parts:
        return Bundle(farm.name, server.name)
    return Bundle(
        farm.name,
        server.name,
        packages=tuple(item for part in parts for item in part.packages),
        directories=keeper.DIRECTORIES,
        files=(
            *keeper.code_files(code),
            File(LOGROTATE, text("storage/logrotate")),
            *(item for part in parts for item in part.files),
        ),
        checks=(Check("the storage's keeper", (*RUN, "check"), (*_settings(parts), CODE)),),
        units=tuple(item for part in parts for item in part.units),
        healths=tuple(item for part in parts for item in part.healths),
    )


def _settings(parts: list[Bundle]) -> tuple[str, ...]:
    paths = (file.path for part in parts for file in part.files)
    return tuple(path for path in paths if path in {SETTINGS, SHARED})


def _member(farm: Farm, server: Server) -> Bundle:
    unit = f"{UNITS}/{KEEPER}"
    return Bundle(
        farm.name,
        server.name,
        # With the client: files that Gluster's own healer passes over are healed by looking at them.
        packages=("glusterfs-server", "glusterfs-client"),
        files=(
            File(SETTINGS, settings(farm, server)),
            File(GLUSTERD, render("storage/glusterd.vol.j2", {"server": server, "ports": ports})),
            File(GLUSTERD_UNIT, text("storage/glusterd-unit.conf")),
            kept_running("glusterd.service"),
            File(unit, text(f"storage/{KEEPER}")),
        ),
        units=(
            # It learns of other servers when it starts; the bricks go on meanwhile.
            Unit("glusterd.service", restart_on=(GLUSTERD, GLUSTERD_UNIT, SETTINGS)),
            Unit(KEEPER, restart_on=(SETTINGS, CODE, unit)),
        ),
        healths=(
            Health("Gluster answers", ("/usr/sbin/gluster", "pool", "list"), within_s=60),
            Health("the storage's keeper looks", (*RUN, "looks"), within_s=30),
        ),
    )


def settings(farm: Farm, server: Server) -> str:
    """Return the keeper's settings as JSON; ``stillup.keeper.storage_settings`` reads them."""
    arbiter = storage_arbiter(farm)
    values = {
        "farm": farm.name,
        "name": server.name,
        "members": {member.name: str(member.address) for member in members(farm)},
        "arbiter": arbiter.name if arbiter else None,
        "clients": [str(web.address) for web in farm.having(Role.WEB)],
    }
    return json.dumps(values, indent=2) + "\n"


def _web(farm: Farm, server: Server) -> Bundle:
    servers = [str(member.address) for member in members(farm)]
    values = {"mount": farm.storage.mount, "servers": servers}
    mount, watch = f"{UNITS}/{MOUNT}", f"{UNITS}/{WATCH}"
    return Bundle(
        farm.name,
        server.name,
        packages=("glusterfs-client",),
        files=(
            File(SHARED, json.dumps(values, indent=2) + "\n"),
            File(mount, render(f"storage/{MOUNT}.j2", {"mount": farm.storage.mount})),
            File(watch, text(f"storage/{WATCH}")),
        ),
        units=(
            # Not restarted for another list of servers: what is mounted learns of them by itself.
            Unit(MOUNT, restart_on=(mount,)),
            Unit(WATCH, restart_on=(SHARED, CODE, watch)),
        ),
        healths=(Health("the shared storage is mounted", (*RUN, "ready"), within_s=MOUNTED_S),),
    )
