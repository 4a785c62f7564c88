"""How much room the file systems have that the farm's data lie on, and whether they take any: acting.

Only a server's own disks are asked: a mount of another server's files may hang.
"""

import os
from pathlib import Path

from stillup.node.disk import read_regular
from stillup.node.message import Json, JsonObject
from stillup.node.world import World, at

FOLDERS = ("/var", "/var/lib/mysql", "/srv/stillup/brick/data", "/srv/stillup/export")
"""Logs and marks, MariaDB's data, Gluster's brick, what NFS exports."""
ENDED = frozenset({"emergency_ro", "shutdown"})
"""What ext4 says in its options after an error since Linux 6.15; since 6.12 ``ST_RDONLY`` is not set then."""


def disks(world: World) -> list[Json]:
    """Return each file system below ``FOLDERS`` once, as ``{"path", "free", "size", "read_only"}``.

    ``path`` is where it is mounted; ``free`` and ``size`` are bytes, free to root.
    """
    found: dict[int, Path] = {}
    for folder in (at(world, path) for path in FOLDERS):
        if folder.is_dir():
            found.setdefault(folder.stat().st_dev, folder)
    ended = _ended(world)
    return [
        _disk(world, folder, is_ended=f"{os.major(device)}:{os.minor(device)}" in ended)
        for device, folder in found.items()
    ]


def _disk(world: World, folder: Path, *, is_ended: bool) -> JsonObject:
    seen = os.statvfs(folder)
    return {
        "path": "/" + str(_top(world, folder).relative_to(world.root)).lstrip("."),
        "free": seen.f_bfree * seen.f_frsize,
        "size": seen.f_blocks * seen.f_frsize,
        "read_only": is_ended or bool(seen.f_flag & os.ST_RDONLY),
    }


def _top(world: World, folder: Path) -> Path:
    """Return the uppermost folder of the same file system above ``folder``."""
    device = folder.stat().st_dev
    while folder != world.root and folder.parent.stat().st_dev == device:
        folder = folder.parent
    return folder


def _ended(world: World) -> set[str]:
    """Return the devices whose file systems the kernel has ended after an error, as ``8:1``."""
    text = (read_regular(at(world, "/proc/self/mountinfo")) or b"").decode(errors="replace")
    mounts = [line.split() for line in text.splitlines()]
    return {words[2] for words in mounts if len(words) > 2 and ENDED & set(words[-1].split(","))}
