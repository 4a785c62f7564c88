"""Changing files so that at every instant either the old or the new one is there, whole.

New content is written beside its place (``.NAME.stillup-new``), with its mode and owner and
flushed, and then renamed over it. What was there is kept as a second hard link beside it
(``.NAME.stillup-old``), so that putting it back is one rename and needs no space, even on a
full disk. Both names begin with a dot and have an ending no engine includes.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from stillup.errors import ServerFailed

NEW = ".stillup-new"
OLD = ".stillup-old"


def new_of(path: Path) -> Path:
    """Return where the next content of ``path`` is written."""
    return path.with_name(f".{path.name}{NEW}")


def old_of(path: Path) -> Path:
    """Return where the earlier content of ``path`` is kept during a change."""
    return path.with_name(f".{path.name}{OLD}")


def write_new(path: Path, data: bytes, mode: int, ids: tuple[int, int]) -> None:
    """Write ``data`` beside ``path``; nobody but its owner-to-be can ever read a secret one."""
    new = new_of(path)
    new.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(new, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            # The owner first: chown would clear set-user-id bits, and chmod is what opens it.
            os.fchown(file.fileno(), *ids)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except OSError as error:
        new.unlink(missing_ok=True)
        # write(2) does not say which file it was.
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_new_link(path: Path, target: str) -> None:
    """Make a symbolic link to ``target`` beside ``path``."""
    new = new_of(path)
    new.unlink(missing_ok=True)
    new.symlink_to(target)


def swap_in(path: Path) -> None:
    """Put what was written beside ``path`` in its place, atomically."""
    new_of(path).rename(path)


def keep_old(path: Path) -> None:
    """Keep what is at ``path`` now, to be put back by ``put_back``."""
    old = old_of(path)
    old.unlink(missing_ok=True)
    os.link(path, old, follow_symlinks=False)


def put_back(path: Path) -> bool:
    """Put back what ``keep_old`` kept, if anything; tell whether ``path`` changed by that."""
    old = old_of(path)
    if not os.path.lexists(old):
        return False
    # rename(2) does nothing, and leaves both names, when they are links to one file.
    same = os.path.lexists(path) and os.path.samestat(os.lstat(old), os.lstat(path))
    if same:
        old.unlink()
    else:
        old.rename(path)
    return not same


def forget(path: Path) -> None:
    """Remove what is kept and what is written beside ``path``."""
    new_of(path).unlink(missing_ok=True)
    old_of(path).unlink(missing_ok=True)


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file of our own atomically and flushed, with its folder."""
    write_new(path, data, mode, (os.geteuid(), os.getegid()))
    try:
        swap_in(path)
    except OSError:
        new_of(path).unlink(missing_ok=True)
        raise
    flush_folders([path.parent])


def flush_folders(folders: Iterable[Path]) -> None:
    """Flush the names in these folders to the disk."""
    for folder in sorted(set(folders)):
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def missing_folders(folder: Path) -> list[Path]:
    """Return the folders to make, outermost first, before ``folder`` exists."""
    missing = []
    while not folder.is_dir():
        if os.path.lexists(folder) and not folder.is_symlink():
            raise ServerFailed(f"{folder} is in the way: it is not a folder; move it away")
        missing.append(folder)
        folder = folder.parent
    return missing[::-1]


def sha256(data: bytes) -> str:
    """Return the hexadecimal digest."""
    return hashlib.sha256(data).hexdigest()


def read_regular(path: Path) -> bytes | None:
    """Return a regular file's content; None if there is none of that name."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
