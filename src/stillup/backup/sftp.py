"""A folder of another machine as a place for backups, over SFTP with strict host keys.

Each file is flushed there (``fsync@openssh.com``) before its folder is renamed.
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import cast

import asyncssh

from stillup.backup.place import PIECE_BYTES, SshPlace
from stillup.errors import BackupFailed, ServerRefused
from stillup.servers.host_keys import KnownHosts, Visitor

CONNECT_WITHIN_S = 15.0
KEEPALIVE_EVERY_S = 5
KEEPALIVES_MISSED = 4
# So much is asked for or sent at once, so that a long line is filled; asyncssh splits it.
AT_ONCE_BYTES = 4 * PIECE_BYTES


@asynccontextmanager
async def opened(
    place: SshPlace, client_key: Path | None, known_hosts: Path
) -> AsyncIterator["Sftp"]:
    """Log in to a place, and log out at the end.

    Args:
        place: The place.
        client_key: The private key; None for the agent's and the usual ones in ``~/.ssh``.
        known_hosts: The file with the trusted host keys.

    Raises:
        BackupFailed: If it cannot be reached.
        ServerRefused: If its host key is not trusted, or it does not let us in.
    """
    trusted = KnownHosts(known_hosts)
    visitor = Visitor()
    try:
        connection = await asyncssh.connect(
            place.host,
            place.port,
            config=None,
            client_factory=lambda: visitor,
            known_hosts=trusted.entries(),
            username=place.user or (),
            client_keys=[client_key] if client_key else (),
            agent_path=None if client_key else os.environ.get("SSH_AUTH_SOCK"),
            preferred_auth="publickey",
            compression_algs=None,
            connect_timeout=CONNECT_WITHIN_S,
            keepalive_interval=KEEPALIVE_EVERY_S,
            keepalive_count_max=KEEPALIVES_MISSED,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        if visitor.shown is None:
            raise ServerRefused(f"{place} and we could not agree: {error.reason}") from error
        refusal = trusted.refusal("the place for backups", place.host, place.port, visitor.shown)
        raise refusal from error
    except asyncssh.PermissionDenied as error:
        raise ServerRefused(f"{place} does not let us in with our keys") from error
    except (OSError, asyncssh.Error) as error:
        raise BackupFailed(f"{place} cannot be reached: {error}") from error
    async with connection:
        with _failing(str(place)):
            client = await connection.start_sftp_client()
        try:
            yield Sftp(place, client)
        finally:
            connection.abort()


class Sftp:
    """A ``Place``."""

    is_local = False

    def __init__(self, place: SshPlace, client: asyncssh.SFTPClient) -> None:
        """Speak of a place that was logged in to."""
        self._place = place
        self._client = client
        # ``/~/shop`` is below the home there, as in other programs' addresses.
        self._root = place.path.removeprefix("/~/").rstrip("/") or "/"

    async def names(self) -> list[str]:
        """Return the names of what is there."""
        with _failing(self._root):
            try:
                found = await self._client.listdir(self._root)
            except asyncssh.SFTPNoSuchFile:
                return []
        return [str(name) for name in found if name not in {".", ".."}]

    async def make(self, folder: str) -> None:
        """Make a new folder."""
        private = asyncssh.SFTPAttrs(permissions=0o700)
        with _failing(self._at(folder)):
            if not await self._client.isdir(self._root):
                await self._client.makedirs(self._root, private, exist_ok=True)
            await self._client.mkdir(self._at(folder), private)

    @asynccontextmanager
    async def writing(self, folder: str, file: str) -> AsyncIterator["_File"]:
        """Write a new file."""
        path = self._at(folder, file)
        flags = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL
        with _failing(path):
            handle = await self._client.open(
                path, flags, asyncssh.SFTPAttrs(permissions=0o600), encoding=None
            )
        try:
            yield _File(path, handle)
        finally:
            with _failing(path):
                await handle.close()

    async def reading(self, folder: str, file: str) -> AsyncIterator[bytes]:
        """Yield a file's content."""
        path = self._at(folder, file)
        with _failing(path):
            handle = await self._client.open(path, "rb", encoding=None)
        try:
            while True:
                with _failing(path):
                    piece = await handle.read(AT_ONCE_BYTES)
                if not piece:
                    return
                # Opened without an encoding, so these are bytes whatever the signature says.
                yield cast("bytes", piece)
        finally:
            with _failing(path):
                await handle.close()

    async def rename(self, folder: str, name: str) -> None:
        """Call a folder ``name``."""
        with _failing(self._at(folder)):
            await self._client.rename(self._at(folder), self._at(name))

    async def remove(self, folder: str) -> None:
        """Remove a folder with its files."""
        with _failing(self._at(folder)):
            await self._client.rmtree(self._at(folder))

    def _at(self, *names: str) -> str:
        return "/".join((self._root.rstrip("/"), *names))


class _File:
    def __init__(self, path: str, handle: asyncssh.SFTPClientFile) -> None:
        self._path = path
        self._handle = handle
        self._held = bytearray()

    async def write(self, data: bytes) -> None:
        """Write on."""
        self._held += data
        if len(self._held) >= AT_ONCE_BYTES:
            await self._send()

    async def end(self) -> None:
        """Have all of it on the disk."""
        await self._send()
        with _failing(self._path):
            await self._handle.fsync()

    async def _send(self) -> None:
        data = bytes(self._held)
        self._held.clear()
        if data:
            with _failing(self._path):
                await self._handle.write(data)


@contextmanager
def _failing(path: str) -> Iterator[None]:
    try:
        yield
    except asyncssh.SFTPFailure as error:
        # All that the protocol says of a full disk.
        raise BackupFailed(
            f"{path}: {error.reason or 'failure'}; is the disk there full?"
        ) from error
    except asyncssh.Error as error:
        raise BackupFailed(f"{path}: {error.reason or error}") from error
    except OSError as error:
        raise BackupFailed(f"{path}: the line was cut: {error}") from error
