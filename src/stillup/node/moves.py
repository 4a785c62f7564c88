"""The paths under change: written beside, kept, swapped in, put back."""

import contextlib
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stillup.errors import ChangeRefused
from stillup.node import disk
from stillup.node.bundle import Absent, Bundle, Directory, File, Link
from stillup.node.compare import Change, wanted_paths, wanted_stamp
from stillup.node.journal import Journal
from stillup.node.manifest import FOLDER, Stamp
from stillup.node.observed import Observed, SeenFile, SeenFolder, SeenLink, SeenOther
from stillup.node.world import World, at

REPLACED = f"{FOLDER}/replaced"


@dataclass(frozen=True, slots=True)
class Move:
    """A path under change; ``item`` is what will be there, None for nothing."""

    path: str
    item: File | Link | None
    by_hand: bool


def moves_of(bundle: Bundle, changes: Iterable[Change]) -> tuple[Move, ...]:
    """Return the paths under change, in order."""
    wanted = wanted_paths(bundle)
    moves = []
    for change in changes:
        if change.kind in {"file", "link", "absent"}:
            item = wanted.get(change.name)
            kept = item if isinstance(item, File | Link) else None
            moves.append(Move(change.name, kept, change.by_hand))
    return tuple(moves)


def require_movable(moves: Iterable[Move], observed: Observed) -> None:
    """Refuse to replace what is neither a file nor a link.

    Raises:
        ChangeRefused: For a folder, a device or a socket; ``overwrite`` does not help.
    """
    for move in moves:
        seen = observed.paths.get(move.path)
        if isinstance(seen, SeenFolder | SeenOther):
            what = "a folder" if isinstance(seen, SeenFolder) else "neither a file nor a link"
            raise ChangeRefused(f"{move.path} is {what} on this server; move it away")


def stage(world: World, moves: Iterable[Move]) -> None:
    """Write every next content beside its place."""
    for move in moves:
        place = at(world, move.path)
        if isinstance(move.item, File):
            ids = world.ids(move.item.owner, move.item.group)
            disk.write_new(place, move.item.text.encode(), move.item.mode, ids)
        elif isinstance(move.item, Link):
            disk.write_new_link(place, move.item.target)


def keep(world: World, journal: Journal, earlier: Journal | None) -> None:
    """Keep what is there now beside its place, unless an interrupted change already did.

    Of a path that an earlier change had in hand and of which nothing is kept, what is there
    now is what was there before: it was not reached yet, or is already put back.
    """
    for path, existed in journal.existed.items():
        place = at(world, path)
        adopted = earlier is not None and path in earlier.existed
        kept = adopted and os.path.lexists(disk.old_of(place))
        if existed and not kept and os.path.lexists(place):
            disk.keep_old(place)


def keep_by_hand(world: World, moves: Iterable[Move], observed: Observed) -> None:
    """Keep a copy of hand-made work for good, in /var/lib/stillup/replaced."""
    for move in moves:
        seen = observed.paths.get(move.path)
        if move.by_hand and isinstance(seen, SeenFile | SeenLink):
            data = seen.data if isinstance(seen, SeenFile) else seen.target.encode()
            place = at(world, f"{REPLACED}{move.path}.{disk.sha256(data)[:12]}")
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not place.exists():
                disk.write_whole(place, data)


def swap(world: World, moves: Iterable[Move]) -> None:
    """Put every next content in its place; each path changes atomically."""
    folders = set()
    for move in moves:
        place = at(world, move.path)
        folders.add(place.parent)
        if move.item is None:
            place.unlink(missing_ok=True)
        else:
            disk.swap_in(place)
    disk.flush_folders(folders)


def put_back(world: World, existed: Mapping[str, bool]) -> frozenset[str]:
    """Put back what was there before; return the paths that changed by that."""
    changed = set()
    for path, was_there in existed.items():
        place = at(world, path)
        if was_there:
            if disk.put_back(place):
                changed.add(path)
        elif os.path.lexists(place):
            place.unlink()
            changed.add(path)
        disk.new_of(place).unlink(missing_ok=True)
    disk.flush_folders(at(world, path).parent for path in existed)
    return frozenset(changed)


def missing_folders(world: World, paths: Iterable[str]) -> list[str]:
    """Return the folders that have to be made before these paths can be, outermost first."""
    missing: dict[Path, None] = {}
    for path in paths:
        missing |= dict.fromkeys(disk.missing_folders(at(world, path).parent))
    return [f"/{place.relative_to(world.root)}" for place in sorted(missing)]


def remove_empty_folders(world: World, folders: Iterable[str]) -> None:
    """Remove folders, the innermost first; one that somebody else uses by now stays."""
    for path in sorted(folders, reverse=True):
        with contextlib.suppress(OSError):
            at(world, path).rmdir()


def folder_before(world: World, path: str) -> tuple[int, str, str] | None:
    """Return a folder's mode, owner and group; None if there is none."""
    try:
        status = at(world, path).stat()
    except FileNotFoundError:
        return None
    return (stat.S_IMODE(status.st_mode), *world.names(status.st_uid, status.st_gid))


def set_folder(world: World, directory: Directory) -> None:
    """Make a folder as wanted."""
    at(world, directory.path).mkdir(mode=0o700, exist_ok=True)
    set_folder_to(world, directory.path, (directory.mode, directory.owner, directory.group))


def set_folder_to(world: World, path: str, wanted: tuple[int, str, str]) -> None:
    """Give a folder its owner and mode."""
    mode, owner, group = wanted
    place = at(world, path)
    os.chown(place, *world.ids(owner, group))
    place.chmod(mode)


def wanted_stamps(bundle: Bundle) -> dict[str, Stamp]:
    """Return the stamp of every file and link of a bundle."""
    items = wanted_paths(bundle)
    return {
        path: wanted_stamp(item) for path, item in items.items() if not isinstance(item, Absent)
    }
