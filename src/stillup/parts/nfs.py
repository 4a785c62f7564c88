"""The shared storage on one server: the kernel's NFS, version 4 alone, for the web servers alone.

``templates/nfs/`` says why for each setting. NFSv4 needs one port; the portmapper and the lock
daemon of its forebears, which Debian starts beside it, are masked.
"""

from stillup.model.farm import Farm, Role, Server
from stillup.node.bundle import Bundle, Command, Directory, File, Health, Link, Unit
from stillup.parts import ports
from stillup.parts.base import kept_running
from stillup.parts.template import render, text

EXPORT = "/srv/stillup/export"
SETTINGS = "/etc/nfs.conf.d/stillup.conf"
EXPORTS = "/etc/exports.d/stillup.exports"
SERVER = "nfs-server.service"
SERVER_UNIT = f"/etc/systemd/system/{SERVER}.d/stillup.conf"
MOUNT = "stillup-shared.service"
MOUNT_UNIT = f"/etc/systemd/system/{MOUNT}"
WHOLE = (".",)
"""``site.shared`` of a farm whose whole site lives on the storage."""
PORTMAPPER = ("rpcbind.socket", "rpcbind.service")
OLDER = ("rpc-statd.service", "rpc-statd-notify.service")
PROGRAM, VERSION = "100003", "4"
"""NFS's number as a remote procedure call (RFC 7530 section 2.1)."""


def is_only(farm: Farm) -> bool:
    """Say whether one server alone keeps the shared files."""
    return len(farm.having(Role.STORAGE)) == 1


def wanted(farm: Farm, server: Server) -> Bundle:
    """Return what ``server`` needs to serve the shared files, or to use them."""
    nothing = Bundle(farm.name, server.name)
    if not is_only(farm):
        return nothing
    parts = []
    if Role.STORAGE in server.roles:
        parts.append(_storage(farm, server))
    if Role.WEB in server.roles:
        parts.append(_web(farm, server))
    if not parts:
        return nothing
    return Bundle(
        farm.name,
        server.name,
        packages=tuple(item for part in parts for item in part.packages),
        directories=tuple(item for part in parts for item in part.directories),
        files=tuple(item for part in parts for item in part.files),
        links=tuple(dict.fromkeys(item for part in parts for item in part.links)),
        commands=tuple(dict.fromkeys(item for part in parts for item in part.commands)),
        units=tuple(item for part in parts for item in part.units),
        healths=tuple(item for part in parts for item in part.healths),
    )


def _masked(units: tuple[str, ...]) -> tuple[tuple[Link, ...], Command]:
    """Return what keeps units from ever running, and stops them where they do.

    A command and no ``Unit``: those are the ones that should run, as ``status`` sees it.
    """
    links = tuple(Link(f"/etc/systemd/system/{unit}", "/dev/null") for unit in units)
    runs = f"systemctl --quiet is-active {' '.join(units)}"
    stop = Command(
        f"no {units[0].partition('.')[0]}",
        ("/usr/bin/systemctl", "stop", *units),
        unless=("/bin/sh", "-c", f"! {runs}"),
    )
    return links, stop


def _storage(farm: Farm, server: Server) -> Bundle:
    (links, stop), (older, stop_older) = _masked(PORTMAPPER), _masked(OLDER)
    values = {
        "farm": farm,
        "server": server,
        "webs": farm.having(Role.WEB),
        "export": EXPORT,
        "ports": ports,
    }
    # A remote procedure call names its port as two more numbers of the address.
    place = f"{server.address}.{ports.NFS >> 8}.{ports.NFS & 255}"
    answers = ("/usr/sbin/rpcinfo", "-T", "tcp", "-a", place, PROGRAM, VERSION)
    return Bundle(
        farm.name,
        server.name,
        packages=("nfs-kernel-server",),
        directories=(
            Directory("/srv/stillup"),
            Directory(EXPORT),
            Directory("/etc/nfs.conf.d"),
            Directory("/etc/exports.d"),
        ),
        files=(
            File(SETTINGS, render("nfs/nfs.conf.j2", values)),
            File(EXPORTS, render("nfs/exports.j2", values)),
            File(SERVER_UNIT, text("nfs/server-unit.conf")),
            # Who may mount, and who had locks before a restart: the two that the kernel asks.
            kept_running("nfs-mountd.service"),
            kept_running("nfsdcld.service"),
        ),
        links=(*links, *older),
        commands=(stop, stop_older),
        units=(Unit(SERVER, reload_on=(EXPORTS,), restart_on=(SETTINGS, SERVER_UNIT)),),
        healths=(Health("NFS answers", answers),),
    )


def _web(farm: Farm, server: Server) -> Bundle:
    mount = farm.storage.mount
    links, stop = _masked(PORTMAPPER)
    values = {"mount": mount, "storage": farm.having(Role.STORAGE)[0], "ports": ports}
    look = f"mountpoint -q {mount} && ls {mount} >/dev/null"
    return Bundle(
        farm.name,
        server.name,
        packages=("nfs-common",),
        files=(File(MOUNT_UNIT, render("nfs/stillup-shared.service.j2", values)),),
        links=links,
        commands=(stop, files_folder(farm)) if farm.site.shared == WHOLE else (stop,),
        units=(Unit(MOUNT, restart_on=(MOUNT_UNIT,)),),
        healths=(
            Health(
                "the shared storage is mounted",
                ("/usr/bin/timeout", "-k", "1", "5", "/bin/sh", "-c", look),
                within_s=60,
            ),
        ),
    )


def files_folder(farm: Farm) -> Command:
    """Make the folder that pages may write to where the whole site is on the storage.

    A release is root's and goes when newer ones come, so what users bring has a place beside.
    """
    folder = pages_folder(farm)
    return Command(
        "the pages' own folder on the shared storage",
        ("/usr/bin/install", "-d", "-o", "www-data", "-g", "www-data", "-m", "0750", folder),
        unless=("/usr/bin/test", "-d", folder),
        needs=MOUNT,
    )


def pages_folder(farm: Farm) -> str:
    """Return the folder of files that pages write, in a farm whose whole site is shared."""
    return f"{farm.storage.mount}/files"
