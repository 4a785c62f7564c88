"""The site's folder as one archive: the same bytes for the same content, whoever packs it.

Sorted, owned by root, modes 0755 and 0644, no ``.git``; links must stay inside. A file's time is
made of its content: nginx's ETag and PHP's opcache go by time and size, so equal content must
have equal times on every web server, and other content another time, whatever a checkout did
to the files' own.
"""

import gzip
import hashlib
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from stillup.errors import InputRefused

LEFT_OUT = frozenset({".git", ".gitignore", ".gitattributes", ".DS_Store"})
SECRETS = ".secrets.toml"
"""In the name of every farm's secrets, of the file they are made in, of an editor's copy."""
EPOCH_S = 946_684_800
"""2000-01-01; file times are this and up to 2**28 seconds (8.5 years) later."""
MEMORY_BYTES = 32 * 1024 * 1024
ID_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Package:
    """A packed site; ``archive`` is a .tar.gz. A context: it is closed at the end."""

    release: str
    """The release's name: the beginning of the hash of its content."""
    sha256: str
    size: int
    archive: IO[bytes] = field(repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.archive.close()


def pack(source: Path) -> Package:
    """Pack the folder ``source``.

    Raises:
        InputRefused: If it is missing or empty, or something in it cannot be released.
    """
    if not source.is_dir():
        raise InputRefused(
            f"{source} is no folder; it is where the site is released from (site.source)"
        )
    # Memory for a small site, a nameless file for a large one.
    archive = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 - lives in the package
    try:
        return _packed(source, archive)
    except OSError as error:
        archive.close()
        raise InputRefused(
            f"{error.filename or source}: {error.strerror or error}; is somebody changing it?"
        ) from error
    except BaseException:
        archive.close()
        raise


def _packed(source: Path, archive: IO[bytes]) -> Package:
    with gzip.GzipFile("", "wb", 6, archive, mtime=0) as packed:
        release = _write(source, packed)
    size = archive.tell()
    archive.seek(0)
    sha256 = hashlib.sha256()
    while piece := archive.read(1024 * 1024):
        sha256.update(piece)
    archive.seek(0)
    return Package(release, sha256.hexdigest(), size, archive)


class _Hashing:
    """Writes on, and hashes what passes."""

    def __init__(self, sink: IO[bytes] | gzip.GzipFile) -> None:
        self._sink = sink
        self.hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self._sink.write(data)


def _write(source: Path, sink: gzip.GzipFile) -> str:
    """Write all of ``source`` as a tar; return the release's name."""
    passing = _Hashing(sink)
    found = False
    # A stream writes to its file object alone, which then sees every byte once, in order.
    with tarfile.open(fileobj=passing, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload] # the stubs ask for a whole file; a stream only writes
        for path in _paths(source, source):
            found = True
            _add(tar, source, path)
    if not found:
        raise InputRefused(f"{source} is empty; put the site's files there")
    return passing.hash.hexdigest()[:ID_LENGTH]


def _paths(folder: Path, source: Path) -> Iterator[Path]:
    """Yield everything below ``folder``, folders before what is in them, sorted."""
    for path in sorted(folder.iterdir()):
        if path.name in LEFT_OUT:
            continue
        if SECRETS in path.name:
            raise InputRefused(
                f"{path} holds a farm's secrets and would be released with the site; "
                "put the site into a folder of its own (site.source)"
            )
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _paths(path, source)


def _add(tar: tarfile.TarFile, source: Path, path: Path) -> None:
    status = path.lstat()
    entry = tarfile.TarInfo(path.relative_to(source).as_posix())
    entry.mode = 0o755 if stat.S_ISDIR(status.st_mode) or status.st_mode & 0o100 else 0o644
    entry.mtime = EPOCH_S
    entry.uname = entry.gname = "root"
    if stat.S_ISDIR(status.st_mode):
        entry.type = tarfile.DIRTYPE
        tar.addfile(entry)
    elif stat.S_ISLNK(status.st_mode):
        entry.type = tarfile.SYMTYPE
        entry.linkname = _target_inside(source, path)
        tar.addfile(entry)
    elif stat.S_ISREG(status.st_mode):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            entry.mtime = EPOCH_S + int.from_bytes(digest[:4]) % 2**28
            entry.size = os.fstat(file.fileno()).st_size
            file.seek(0)
            tar.addfile(entry, file)
    else:
        raise InputRefused(f"{path} is no file, folder or link, so it cannot be released")


def _target_inside(source: Path, path: Path) -> str:
    target = str(path.readlink())
    reached = os.path.normpath(path.parent.relative_to(source) / target)
    if target.startswith("/") or reached == ".." or reached.startswith("../"):
        raise InputRefused(
            f"{path} is a link to {target}, outside of {source}; it would lead nowhere on a "
            "server; put the file itself there"
        )
    return target
