"""A folder of this machine as a place for backups.

Folders are 0700 and files 0600 from their first moment; what is renamed is on the disk before.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from stillup.backup.place import PIECE_BYTES
from stillup.errors import BackupFailed


class Folder:
    """A ``Place``."""

    is_local = True

    def __init__(self, root: Path) -> None:
        """Speak of a folder; it is made when something is written."""
        self._root = root

    async def names(self) -> list[str]:
        """Return the names of what is there."""
        with _failing(self._root):
            return [each.name for each in self._root.iterdir()] if self._root.is_dir() else []

    async def make(self, folder: str) -> None:
        """Make a new folder."""
        with _failing(self._root / folder):
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._root / folder).mkdir(mode=0o700)

    @asynccontextmanager
    async def writing(self, folder: str, file: str) -> AsyncIterator["_File"]:
        """Write a new file."""
        path = self._root / folder / file
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with _failing(path):
            descriptor = os.open(path, flags, 0o600)
        try:
            yield _File(path, descriptor)
        finally:
            os.close(descriptor)

    async def reading(self, folder: str, file: str) -> AsyncIterator[bytes]:
        """Yield a file's content."""
        path = self._root / folder / file
        with _failing(path):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            while True:
                with _failing(path):
                    piece = await asyncio.to_thread(os.read, descriptor, PIECE_BYTES)
                if not piece:
                    return
                yield piece
        finally:
            os.close(descriptor)

    async def rename(self, folder: str, name: str) -> None:
        """Call a folder ``name``."""
        with _failing(self._root / folder):
            await asyncio.to_thread(_flush, self._root / folder)
            (self._root / folder).rename(self._root / name)
            await asyncio.to_thread(_flush, self._root)

    async def remove(self, folder: str) -> None:
        """Remove a folder with its files."""
        with _failing(self._root / folder):
            await asyncio.to_thread(shutil.rmtree, self._root / folder)


class _File:
    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    async def write(self, data: bytes) -> None:
        """Write on."""
        left = memoryview(data)
        while left:
            with _failing(self._path):
                written = await asyncio.to_thread(os.write, self._descriptor, left[:PIECE_BYTES])
            left = left[written:]

    async def end(self) -> None:
        """Have all of it on the disk."""
        with _failing(self._path):
            await asyncio.to_thread(os.fsync, self._descriptor)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _failing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupFailed(f"{error.filename or path}: {error.strerror or error}") from error
