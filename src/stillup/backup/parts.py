"""A part of a backup on its way to its place and back: compressed, perhaps encrypted, summed.

Nothing is held but a piece at a time, however large the part is.
"""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from stillup.backup import age
from stillup.backup.manifest import Part
from stillup.backup.place import PIECE_BYTES, Place, Sink
from stillup.errors import BackupBroken, BackupFailed

_GZIP = 31
"""zlib's word for the gzip format, so that gunzip reads it too."""


class Writing:
    """A part that is being written; ``part`` is there at its end."""

    def __init__(self, file: str, sink: Sink) -> None:
        """Write to a file of that name."""
        self._file = file
        self._sink = sink
        self._content = hashlib.sha256()
        self._stored = hashlib.sha256()
        self._bytes = self._stored_bytes = 0
        # The fastest level: the database's own emptiness is what there is to gain.
        self._packing = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
        self._next: Callable[[bytes], Awaitable[None]] = self.store
        self.part: Part | None = None

    def through(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Give what is packed to ``write``, which gives its own to ``store``."""
        self._next = write

    async def take(self, piece: bytes) -> None:
        """Take a piece of the content."""
        self._bytes += len(piece)
        packed = await asyncio.to_thread(self._pack, piece)
        if packed:
            await self._next(packed)

    def _pack(self, piece: bytes) -> bytes:
        self._content.update(piece)
        return self._packing.compress(piece)

    async def flush(self) -> None:
        """The content ends here."""
        await self._next(self._packing.flush())

    async def store(self, data: bytes) -> None:
        """Write what lies in the file."""
        self._stored.update(data)
        self._stored_bytes += len(data)
        await self._sink.write(data)

    async def end(self) -> None:
        """Have the file on the disk."""
        await self._sink.end()
        self.part = Part(
            self._file,
            self._bytes,
            self._content.hexdigest(),
            self._stored_bytes,
            self._stored.hexdigest(),
        )


@asynccontextmanager
async def writing(
    place: Place, folder: str, name: str, recipients: Sequence[str]
) -> AsyncIterator[Writing]:
    """Write a part: ``NAME.gz``, or encrypted ``NAME.gz.age``.

    Raises:
        BackupFailed: If the place does not take it, or it cannot be encrypted.
    """
    file = f"{name}.gz.age" if recipients else f"{name}.gz"
    async with place.writing(folder, file) as sink:
        part = Writing(file, sink)
        if recipients:
            async with age.encrypting(recipients, part.store) as seal:
                part.through(seal)
                yield part
                await part.flush()
        else:
            yield part
            await part.flush()
        await part.end()


async def content(
    place: Place, folder: str, part: Part, identity: bytes | None
) -> AsyncIterator[bytes]:
    """Yield what a part holds, each piece 1 MB at most.

    Raises:
        BackupBroken: At its end, or before, if it is not what was written.
        BackupFailed: If the place does not give it.
    """
    stored, held = _Sum(part.stored_bytes, part.stored_sha256), _Sum(part.bytes, part.sha256)
    packed = stored.summing(place.reading(folder, part.file))
    if part.file.endswith(".age"):
        if identity is None:
            raise BackupFailed(
                f"{folder} is encrypted; --identity FILE names the key that opens it"
            )
        packed = age.decrypted(packed, identity)
    try:
        async for piece in held.summing(_unpacked(packed)):
            yield piece
    except zlib.error as error:
        raise BackupBroken(f"{folder}: {part.file} was damaged: {error}") from error
    if not (stored.is_right and held.is_right):
        raise BackupBroken(f"{folder}: {part.file} is not what was written there")


class _Sum:
    def __init__(self, size: int, digest: str) -> None:
        self._left = size
        self._digest = digest
        self._hash = hashlib.sha256()

    async def summing(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            self._left -= len(piece)
            self._hash.update(piece)
            yield piece

    @property
    def is_right(self) -> bool:
        return self._left == 0 and self._hash.hexdigest() == self._digest


async def _unpacked(packed: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    unpacking = zlib.decompressobj(_GZIP)
    async for data in packed:
        left = data
        while left:
            piece = await asyncio.to_thread(unpacking.decompress, left, PIECE_BYTES)
            left = unpacking.unconsumed_tail
            if piece:
                yield piece
    if piece := unpacking.flush():
        yield piece
