"""The shared files of a backup put back: unpacked beside, then each folder renamed into place.

Nothing in the stream is trusted: no name outside, nothing written through a link.
"""

import hashlib
import os
import posixpath
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from stillup.errors import ChangeRefused, InputRefused, ServerFailed
from stillup.node.requests import Session
from stillup.node.shared_files import RESTORING, Told
from stillup.node.world import World


class _In:
    """A stream's pieces as tarfile reads them."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes; fewer at the end."""
        parts = [self._held]
        have = len(self._held)
        while have < size and (piece := next(self._pieces, b"")):
            parts.append(piece)
            have += len(piece)
        data = b"".join(parts)
        self._held = data[size:]
        return data[:size]


def filled(mount: Path, names: list[str]) -> int:
    """Return how many files the shared folders hold."""
    count = 0
    for name in names:
        for _, folders, files in os.walk(mount / name):
            folders[:] = [folder for folder in folders if folder != RESTORING]
            count += len(files)
    return count


def unpack_beside(session: Session, mount: Path) -> str:
    """Unpack what the controller streams into a folder beside; return the listing's SHA-256.

    Raises:
        InputRefused: If something in it is not allowed, or it is no sound archive.
    """
    beside = mount / RESTORING
    shutil.rmtree(beside, ignore_errors=True)
    (beside / "new").mkdir(mode=0o700, parents=True)
    told, links, folders = Told(), set[str](), list[tuple[Path, tarfile.TarInfo]]()
    source = _In(session.pieces())
    try:
        with tarfile.open(fileobj=source, mode="r|") as archive:  # type: ignore[call-overload] # the stubs ask for a whole file; a stream only reads
            for member in archive:
                place = _place(beside / "new", member, links)
                _one(session.world, archive, member, place, told)
                if member.issym():
                    links.add(posixpath.normpath(member.name))
                elif member.isdir():
                    folders.append((place, member))
    except (tarfile.TarError, EOFError) as error:
        raise InputRefused(f"the shared files are no sound archive: {error}") from error
    for _ in iter(lambda: source.read(1 << 20), b""):
        # The end of the archive is not the end of the stream.
        continue
    for place, member in reversed(folders):
        # Last, as each file that comes changes its folder's time.
        os.utime(place, (member.mtime, member.mtime))
    return told.listing.hexdigest()


def require_arrived(mount: Path, names: list[str]) -> None:
    """Return if every shared folder is in what was unpacked beside.

    Raises:
        ChangeRefused: If one is not: its files would go, and none come.
    """
    for name in names:
        if not os.path.lexists(mount / RESTORING / "new" / name):
            raise ChangeRefused(
                f"the backup has no shared folder {name}, and the files in it would be lost; restore "
                "another backup, or take the folder out of site.shared"
            )


def put_in_place(mount: Path, names: list[str]) -> None:
    """Put what was unpacked beside in the place of the shared folders; done again it goes on.

    Raises:
        ChangeRefused: If a shared folder is not in what was unpacked; nothing was moved.
    """
    beside = mount / RESTORING
    new, old = beside / "new", beside / "old"
    if not old.exists():
        # Once it is there they have been in ``new``, and some may have moved from there.
        require_arrived(mount, names)
    old.mkdir(mode=0o700, exist_ok=True)
    inside = [
        path.relative_to(new).as_posix()
        for name in names
        for path in (new.iterdir() if name == "." else [new / name])
    ]
    if "." in names:
        inside += [path.name for path in mount.iterdir() if path.name != RESTORING]
    for name in dict.fromkeys(inside):
        _exchange(mount / name, new / name, old / name)
    shutil.rmtree(beside)


def _exchange(place: Path, new: Path, old: Path) -> None:
    if os.path.lexists(place) and not os.path.lexists(old):
        old.parent.mkdir(parents=True, exist_ok=True)
        place.rename(old)
    if os.path.lexists(new):
        place.parent.mkdir(parents=True, exist_ok=True)
        new.rename(place)


def _place(new: Path, member: tarfile.TarInfo, links: set[str]) -> Path:
    name = posixpath.normpath(member.name)
    if name.startswith(("/", "../")) or name == ".." or name.split("/")[0] == RESTORING:
        raise InputRefused(f"the shared files hold {member.name}, which lies outside of them")
    parts = name.split("/")
    if any("/".join(parts[:count]) in links for count in range(1, len(parts))):
        raise InputRefused(f"the shared files hold {member.name}, whose folder is a link")
    place = new / name
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    return place


def _one(
    world: World, archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path, told: Told
) -> None:
    ids = _ids(world, member)
    if member.issym():
        place.unlink(missing_ok=True)
        place.symlink_to(member.linkname)
        os.chown(place, *ids, follow_symlinks=False)
        told.add("link", 0, member.linkname, member.name)
        return
    if member.isdir():
        place.mkdir(mode=0o700, exist_ok=True)
        told.add("folder", 0, "-", member.name)
    elif member.isreg():
        told.add("file", member.size, _file(archive, member, place), member.name)
    else:
        raise InputRefused(f"the shared files hold {member.name}, which is no file, folder or link")
    os.chown(place, *ids)
    # A folder may pass its group on; no file acts as somebody else.
    place.chmod(member.mode & (0o3777 if member.isdir() else 0o777))
    os.utime(place, (member.mtime, member.mtime))


def _ids(world: World, member: tarfile.TarInfo) -> tuple[int, int]:
    """Return owner and group by name, or by number where this server has no such name."""
    try:
        return world.ids(member.uname, member.gname)
    except ServerFailed:
        return member.uid, member.gid


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> str:
    content = archive.extractfile(member)
    assert content is not None
    digest = hashlib.sha256()
    # Twice in the stream: the later one counts.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(place, flags, 0o600), "wb") as file:
        while piece := content.read(1 << 20):
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()
