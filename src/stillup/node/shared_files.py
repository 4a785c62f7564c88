"""The shared files as a stream, and back: a tar that is made and read in one pass.

Files are read while the site writes. One that changed while it was read is put into the stream
once more at the end, where the later one counts; what changes each time is named. So every file
that did not change meanwhile is whole, and which are not is known.

The *listing* is a SHA-256 over a line for each entry, in order: its kind, size, the SHA-256 of
its content, and its name. It is made here and again when a backup is read.
"""

import errno
import hashlib
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stillup.errors import ServerFailed
from stillup.node.gently import PIECE_BYTES
from stillup.node.requests import Session
from stillup.node.world import World

RESTORING = ".stillup-restore"
"""A folder beside the shared ones while they are restored; never in a backup."""
ROUNDS = 3
"""How often a file that changed while it was read is read again."""
MOST_NAMED = 100


@dataclass
class Told:
    """What a stream of files came to."""

    entries: int = 0
    content_bytes: int = 0
    skipped: int = 0
    """Sockets, pipes and devices, which are no content."""
    changing: list[str] = field(default_factory=list)
    listing: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def add(self, kind: str, size: int, digest: str, name: str) -> None:
        """Note an entry."""
        self.entries += 1
        self.content_bytes += size
        line = f"{kind} {size} {digest} {name}\n"
        self.listing.update(line.encode("utf-8", "surrogateescape"))


class _Out:
    """What tarfile writes, on its way to the controller in large pieces."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._held = bytearray()
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Take ``data``."""
        self._held += data
        if len(self._held) >= PIECE_BYTES:
            self.send()
        return len(data)

    def send(self) -> None:
        """Send what is held."""
        piece = bytes(self._held)
        self._held.clear()
        if piece:
            self.hash.update(piece)
            self.size += len(piece)
            self._session.send(piece)


def stream(session: Session, mount: Path, names: list[str]) -> tuple[Told, int, str]:
    """Stream the folders ``names`` below ``mount``; return what it came to, size and SHA-256.

    Raises:
        ServerFailed: If one of the folders is not there: what lacks it is no backup of it.
    """
    told, out = Told(), _Out(session)
    _require_there(mount, names)
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload] # the stubs ask for a whole file; a stream only writes
        changed = [
            path for path in _paths(mount, names) if _add(session.world, tar, mount, path, told)
        ]
        for _ in range(ROUNDS):
            changed = [path for path in changed if _add(session.world, tar, mount, path, told)]
    # What goes while it is read, its storage with it, would look like files that were removed.
    _require_there(mount, names)
    out.send()
    told.changing = [_name(mount, path) for path in changed[:MOST_NAMED]]
    return told, out.size, out.hash.hexdigest()


def _require_there(mount: Path, names: list[str]) -> None:
    for name in names:
        if not os.path.lexists(mount / name):
            raise ServerFailed(
                f"the shared folder {name} is not there: {mount} has none; `stillup release` makes it, "
                "or take it out of site.shared"
            )


def _paths(mount: Path, names: list[str]) -> Iterator[Path]:
    """Yield every folder and what is in it, folders first, sorted."""
    waiting = [mount / name for name in sorted(names, reverse=True)]
    while waiting:
        path = waiting.pop()
        yield path
        try:
            if not stat.S_ISDIR(path.lstat().st_mode):
                continue
            inside = sorted((each.name for each in path.iterdir()), reverse=True)
        except FileNotFoundError:
            continue
        waiting += [path / name for name in inside if name != RESTORING]


def _name(mount: Path, path: Path) -> str:
    return path.relative_to(mount).as_posix()


def _add(world: World, tar: tarfile.TarFile, mount: Path, path: Path, told: Told) -> bool:
    """Put a path into the stream; tell whether it is to be read again."""
    try:
        status = path.lstat()
        entry = _entry(world, _name(mount, path), status)
        if stat.S_ISREG(status.st_mode):
            return _add_file(tar, path, entry, told)
        if stat.S_ISLNK(status.st_mode):
            entry.type, entry.linkname = tarfile.SYMTYPE, str(path.readlink())
        elif stat.S_ISDIR(status.st_mode):
            entry.type = tarfile.DIRTYPE
        else:
            told.skipped += 1
            return False
    except FileNotFoundError:
        # Gone since its folder was read.
        return False
    tar.addfile(entry)
    kind = "link" if entry.issym() else "folder"
    told.add(kind, 0, entry.linkname or "-", entry.name)
    return False


def _entry(world: World, name: str, status: os.stat_result) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode = stat.S_IMODE(status.st_mode)
    entry.mtime = status.st_mtime
    entry.uid, entry.gid = status.st_uid, status.st_gid
    entry.uname, entry.gname = world.names(status.st_uid, status.st_gid)
    return entry


class _Content:
    """A file's content at exactly the size that the stream has announced, hashed."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._left = size
        self.hash = hashlib.sha256()
        self.was_short = False

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, as many as asked for while there are any announced."""
        wanted = min(size, self._left) if size >= 0 else self._left
        piece = b""
        while len(piece) < wanted:
            if not (more := os.read(self._descriptor, wanted - len(piece))):
                # It became shorter; what is announced has to come. It is read again anyway.
                self.was_short = True
                more = bytes(wanted - len(piece))
            piece += more
        self._left -= wanted
        self.hash.update(piece)
        return piece


def _add_file(tar: tarfile.TarFile, path: Path, entry: tarfile.TarInfo, told: Told) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            # A link has taken its place meanwhile.
            return True
        raise
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return True
        entry.size, entry.mtime = before.st_size, before.st_mtime
        content = _Content(descriptor, before.st_size)
        tar.addfile(entry, content)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    told.add("file", entry.size, content.hash.hexdigest(), entry.name)
    return content.was_short or _stamp(before) != _stamp(after)


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
