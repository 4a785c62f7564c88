"""The shared folders of a release: links to the shared storage instead of folders of its own.

``/etc/stillup/site-shared.json`` says where the storage is mounted and which folders of the site
live there: ``{"mount": "/srv/shared", "folders": ["uploads"]}``. A folder that is not there yet, or is
empty, begins with what the release has in it; after that a release's own content is left out.

All web servers release at the same time: what one makes there is made beside, and renamed into
place; whoever comes second finds it there.
"""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from stillup.errors import ServerFailed
from stillup.node import disk
from stillup.node.world import World, at

SETTINGS = "/etc/stillup/site-shared.json"
WRITER = "www-data"
"""Whom PHP runs as: what is shared is the site's own, unlike its code."""


def link(world: World, release: Path) -> None:
    """Have the shared folders of an unpacked release lead to the storage; done again, it is done.

    Raises:
        ServerFailed: If the storage is not mounted: what is written below it would be hidden later.
    """
    settings = disk.read_regular(at(world, SETTINGS))
    if settings is None:
        return
    told = json.loads(settings)
    mount, folders = str(told["mount"]), [str(folder) for folder in told["folders"]]
    pending = [folder for folder in folders if not (release / folder).is_symlink()]
    if not pending:
        return
    require_mounted(world, mount)
    for folder in pending:
        _begin(world, at(world, mount) / folder, release / folder)
        _replace(release / folder, f"{mount}/{folder}")


def require_mounted(world: World, mount: str) -> None:
    """Return if the shared storage is there.

    Raises:
        ServerFailed: If it is not mounted: what is written below it would be hidden later.
    """
    # Not by looking at it, which would wait for a storage that is away.
    mounts = (disk.read_regular(at(world, "/proc/self/mounts")) or b"").decode().splitlines()
    if mount not in {line.split()[1] for line in mounts}:
        raise ServerFailed(
            f"the shared storage is not mounted at {mount} on this server; see "
            "`systemctl status stillup-shared.service` there"
        )


def _begin(world: World, shared: Path, own: Path) -> None:
    """Make the folder on the storage, with what the release has in it, unless it has content."""
    if shared.is_dir() and any(shared.iterdir()):
        return
    shared.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    machine = (disk.read_regular(at(world, "/etc/machine-id")) or b"").decode().strip()[:12]
    beside = shared.with_name(f".{shared.name}@{machine}.new")
    shutil.rmtree(beside, ignore_errors=True)
    if own.is_dir():
        shutil.copytree(own, beside, symlinks=True)
    else:
        beside.mkdir()
    ids = world.ids(WRITER, WRITER)
    for path in _tree(beside):
        os.chown(path, *ids, follow_symlinks=False)
    try:
        beside.rename(shared)
    except OSError as error:
        if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
            raise
        # Another web server was faster, or the site has written there already.
        shutil.rmtree(beside, ignore_errors=True)


def _tree(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.rglob("*")


def _replace(own: Path, target: str) -> None:
    own.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    beside = own.with_name(f".{own.name}.was")
    with contextlib.suppress(FileNotFoundError):
        own.rename(beside)
    own.symlink_to(target)
    shutil.rmtree(beside, ignore_errors=True)
