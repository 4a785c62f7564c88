"""Where the disk of this server's brick is mounted, remembered: acting.

A disk that does not come at boot leaves the folder below its place empty, or with what lay there before it was
mounted for the first time, or none at all. That is not a brick that lost its files: were it taken for one,
Gluster would copy everything onto the system's disk, or serve what is months old. So Gluster is not started then.
Only a person says that the disk will not come back, and removes the mark.
"""

import os
from pathlib import Path

from stillup.keeper.storage_settings import BRICK, DISK_MARK


def remember(brick: Path = Path(BRICK), mark: Path = Path(DISK_MARK)) -> None:
    """Write down where the disk of the brick, which is at work, is mounted; nothing if it is the system's.

    Raises:
        OSError: If it cannot be written.
    """
    place = _mount_point(brick.resolve())
    if place == Path("/") or _remembered(mark) == str(place):
        return
    mark.parent.mkdir(parents=True, exist_ok=True)
    new = mark.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(f"{place}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(mark)


def is_away(mark: Path = Path(DISK_MARK)) -> bool:
    """Whether nothing is mounted where the brick's disk was."""
    place = _remembered(mark)
    return bool(place) and not os.path.ismount(place)


def _remembered(mark: Path) -> str:
    try:
        return mark.read_text("utf-8").strip()
    except FileNotFoundError:
        return ""


def _mount_point(folder: Path) -> Path:
    """Return the uppermost folder of the same file system."""
    while not os.path.ismount(folder):
        folder = folder.parent
    return folder
