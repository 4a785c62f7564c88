"""Unpack a release's archive, trusting nothing in it.

Only folders, regular files and symbolic links that stay inside; nothing with a place outside,
nothing written through a link. Owner root, readable by all, writable by nobody else:
the site's code is not the web server's to change.
"""

import os
import posixpath
import shutil
import tarfile
from pathlib import Path
from typing import IO

from stillup.errors import InputRefused


def unpack(source: IO[bytes], target: Path) -> None:
    """Unpack a .tar.gz into the new folder ``target``.

    Raises:
        InputRefused: If something in it is not allowed, or it is no such archive.
        OSError: If the disk does not take it.
    """
    target.mkdir(mode=0o755)
    links: set[str] = set()
    try:
        with tarfile.open(fileobj=source, mode="r|gz") as archive:
            for member in archive:
                _one(archive, member, target, links)
    except (tarfile.TarError, EOFError) as error:
        raise InputRefused(f"the release is not a sound archive: {error}") from error


def _one(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, links: set[str]) -> None:
    name = posixpath.normpath(member.name)
    if name == ".":
        return
    _require_inside(member.name, name, links)
    place = target / name
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if member.isdir():
        place.mkdir(mode=0o755, exist_ok=True)
    elif member.issym():
        _require_target_inside(name, member.linkname)
        links.add(name)
        place.symlink_to(member.linkname)
    elif member.isreg():
        _file(archive, member, place)
    else:
        raise InputRefused(f"the release holds {member.name}, which is no file, folder or link")


def _require_inside(given: str, name: str, links: set[str]) -> None:
    if name.startswith(("/", "../")) or name == "..":
        raise InputRefused(f"the release holds {given}, which lies outside of it")
    parts = name.split("/")
    if any("/".join(parts[:count]) in links for count in range(1, len(parts))):
        raise InputRefused(f"the release holds {given}, whose folder is a link")


def _require_target_inside(name: str, target: str) -> None:
    reached = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    if target.startswith("/") or reached == ".." or reached.startswith("../"):
        raise InputRefused(f"the release holds the link {name} to {target}, outside of it")


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    content = archive.extractfile(member)
    assert content is not None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(place, flags, 0o755 if member.mode & 0o100 else 0o644)
    except FileExistsError as error:
        raise InputRefused(f"the release holds {member.name} twice") from error
    with os.fdopen(descriptor, "wb") as file:
        shutil.copyfileobj(content, file, 1024 * 1024)
    os.utime(place, (member.mtime, member.mtime))
