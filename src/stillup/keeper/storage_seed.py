"""What Gluster finds on its disk when it starts: who it is and who the others are.

Gluster has its servers introduced to each other by commands, and a server that comes back with
an empty disk by editing its files by hand. Here each server's identity follows from the farm's
and its own name, so that all of them know each other from the start: no command, no order, and
a server that comes back empty is known at once and told of the volume. What is there already is
left alone. The brick's folder must be there before Gluster starts, or it takes an empty one for
a new one, which it does not give back its files. Gluster does not start where the brick's disk is missing.
"""

import subprocess
from pathlib import Path

from stillup.errors import ServerFailed
from stillup.keeper import storage_disk
from stillup.keeper.storage_settings import BRICK, StorageSettings
from stillup.keeper.storage_step import AWAY

ROOT = Path("/var/lib/glusterd")
BEFRIENDED = 3
"""Gluster's number for a server of the pool."""


def seed(settings: StorageSettings, root: Path = ROOT, brick: Path = Path(BRICK)) -> None:
    """Write what is missing below ``root``, and make the brick's folder.

    Raises:
        ServerFailed: If the disk on which the brick lay is not mounted.
    """
    if storage_disk.is_away():
        raise ServerFailed(AWAY)
    brick.mkdir(mode=0o755, parents=True, exist_ok=True)
    peers = root / "peers"
    peers.mkdir(mode=0o755, parents=True, exist_ok=True)
    info = root / "glusterd.info"
    if not info.exists() or not info.stat().st_size:
        _write(root, info, f"UUID={settings.own.uuid}\noperating-version={_version()}\n")
    for member in settings.members:
        place = peers / member.uuid
        if member != settings.own and not (place.exists() and place.stat().st_size):
            words = {"uuid": member.uuid, "state": BEFRIENDED, "hostname1": member.address}
            _write(root, place, "".join(f"{key}={value}\n" for key, value in words.items()))


def operating_version(told: str) -> int:
    """Return the number by which Gluster calls a release: 110000 for ``glusterfs 11.1``."""
    return int(told.split()[1].split(".", maxsplit=1)[0]) * 10000


def _version() -> int:
    told = subprocess.run(
        ["glusterd", "--version"], capture_output=True, check=True, timeout=10, text=True
    ).stdout
    return operating_version(told)


def _write(root: Path, path: Path, text: str) -> None:
    # Not in the folder of the peers, where Gluster would take it for one.
    beside = root / ".stillup-new"
    beside.write_text(text)
    beside.replace(path)
