"""Encryption by the program ``age``, as a stream. A private key never is among its arguments."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from stillup.errors import BackupBroken, BackupFailed

PIECE_BYTES = 256 * 1024
_MISSING = "the program age is not on this machine; `apt-get install age` brings it"


@dataclass(frozen=True, slots=True)
class Key:
    """A key pair that lives as long as one command."""

    recipient: str
    identity: bytes = field(repr=False)


async def new_key() -> Key:
    """Make a key pair.

    Raises:
        BackupFailed: If the program is missing.
    """
    process = await _start("age-keygen")
    told, _ = await process.communicate()
    lines = told.decode().splitlines()
    marked = [line for line in lines if line.startswith("# public key: ")]
    if process.returncode != 0 or not marked:
        raise BackupFailed("age-keygen made no key")
    return Key(marked[0].removeprefix("# public key: "), told)


@asynccontextmanager
async def encrypting(
    recipients: Sequence[str], take: Callable[[bytes], Awaitable[None]]
) -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
    """Give a function that encrypts what it is given, and hand the outcome to ``take``.

    Raises:
        BackupFailed: If the program is missing or refuses a recipient.
    """
    words = [word for recipient in recipients for word in ("--recipient", recipient)]
    process = await _start("age", "--encrypt", *words)
    assert process.stdin is not None
    given = process.stdin
    taking = asyncio.create_task(_pump(process, take))

    async def write(data: bytes) -> None:
        if taking.done():
            await taking
            raise BackupFailed(await _why(process))
        with contextlib.suppress(ConnectionError):
            given.write(data)
            await given.drain()

    try:
        yield write
        given.close()
        await taking
        if await process.wait() != 0:
            raise BackupFailed(await _why(process))
    finally:
        await _end(process, taking)


async def decrypted(stored: AsyncIterator[bytes], identity: bytes) -> AsyncIterator[bytes]:
    """Yield what ``stored`` holds encrypted.

    Raises:
        BackupBroken: If this key does not open it, or it was damaged.
        BackupFailed: If the program is missing.
    """
    with _readable(identity) as descriptor:
        process = await _start(
            "age", "--decrypt", "--identity", f"/dev/fd/{descriptor}", passed=(descriptor,)
        )
        giving = asyncio.create_task(_feed(process, stored))
        assert process.stdout is not None
        try:
            while piece := await process.stdout.read(PIECE_BYTES):
                yield piece
            code = await process.wait()
            await giving
            if code != 0:
                raise BackupBroken(f"it cannot be opened: {await _why(process)}")
        finally:
            await _end(process, giving)


async def _start(*argv: str, passed: Sequence[int] = ()) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=tuple(passed),
            limit=PIECE_BYTES,
        )
    except FileNotFoundError as error:
        raise BackupFailed(_MISSING) from error


async def _pump(
    process: asyncio.subprocess.Process, take: Callable[[bytes], Awaitable[None]]
) -> None:
    assert process.stdout is not None
    while piece := await process.stdout.read(PIECE_BYTES):
        await take(piece)


async def _feed(process: asyncio.subprocess.Process, stored: AsyncIterator[bytes]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):
        async for piece in stored:
            process.stdin.write(piece)
            await process.stdin.drain()
    process.stdin.close()


async def _why(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    words = (await process.stderr.read()).decode(errors="replace").strip().splitlines()
    return words[0].removeprefix("age: error: ") if words else "age failed without a reason"


async def _end(process: asyncio.subprocess.Process, task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, BackupFailed):
        await task
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextmanager
def _readable(data: bytes) -> Iterator[int]:
    """Give a descriptor of a file in memory: a key is never on a disk of ours."""
    descriptor = os.memfd_create("identity", 0)
    try:
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
