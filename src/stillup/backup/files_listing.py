"""The listing of a stream of shared files, made again from the stream."""

import asyncio
import hashlib
import queue
import tarfile
from collections.abc import AsyncIterator

from stillup.errors import BackupBroken
from stillup.node.shared_files import Told

_AHEAD = 8
"""Pieces that wait for the reader."""


class _Pieces:
    """Pieces from the event loop, as tarfile reads them in its thread."""

    def __init__(self) -> None:
        self._queue: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
        self._held = b""
        self._over = False

    def give(self, piece: bytes | None) -> None:
        """Give a piece; None for the end. Waits while many wait."""
        self._queue.put(piece)

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes; fewer at the end."""
        parts, have = [self._held], len(self._held)
        while have < size and not self._over:
            piece = self._queue.get()
            self._over = piece is None
            parts.append(piece or b"")
            have += len(piece or b"")
        data = b"".join(parts)
        self._held = data[size:]
        return data[:size]

    def drop(self) -> None:
        """Take what is still given, and forget it."""
        while not self._over:
            self._over = self._queue.get() is None


async def listing_of(stream: AsyncIterator[bytes]) -> str:
    """Return the listing's SHA-256 of a tar.

    Raises:
        BackupBroken: If it is no sound tar.
    """
    pieces = _Pieces()
    reading = asyncio.create_task(asyncio.to_thread(_read, pieces))
    try:
        async for piece in stream:
            await asyncio.to_thread(pieces.give, piece)
    finally:
        # Also when the stream failed: the thread waits for its end.
        pieces_end = asyncio.create_task(asyncio.to_thread(pieces.give, None))
        await pieces_end
        listing = await reading
    return listing


def _read(pieces: _Pieces) -> str:
    told = Told()
    try:
        with tarfile.open(fileobj=pieces, mode="r|") as archive:  # type: ignore[call-overload] # the stubs ask for a whole file; a stream only reads
            for member in archive:
                _add(archive, member, told)
    except (tarfile.TarError, EOFError) as error:
        raise BackupBroken(f"the shared files are no sound archive: {error}") from error
    finally:
        pieces.drop()
    return told.listing.hexdigest()


def _add(archive: tarfile.TarFile, member: tarfile.TarInfo, told: Told) -> None:
    if member.issym():
        told.add("link", 0, member.linkname, member.name)
    elif member.isdir():
        told.add("folder", 0, "-", member.name)
    else:
        content, digest = archive.extractfile(member), hashlib.sha256()
        while content is not None and (piece := content.read(1 << 20)):
            digest.update(piece)
        told.add("file", member.size, digest.hexdigest(), member.name)
