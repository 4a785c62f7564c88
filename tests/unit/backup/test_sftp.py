"""Another machine as the place for backups: a real SSH server with SFTP, and its faults."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest

from stillup.backup import names, parts, sftp
from stillup.backup.place import Place, SshPlace
from stillup.errors import BackupFailed, ServerRefused

DATA = bytes(range(256)) * 40_000


@dataclass
class _Nas:
    folder: Path
    port: int = 0
    full_after: int = 10**12
    cut_after: int = 10**12
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        place = SshPlace("me", "127.0.0.1", self.port, str(self.folder / "srv/shop"))
        known = self.folder / "known_hosts"
        async with sftp.opened(place, self.folder / "key", known) as opened:
            yield opened


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[_Nas]:
    nas = _Nas(folder)
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    key = asyncssh.generate_private_key("ssh-ed25519")
    (folder / "key").write_bytes(key.export_private_key())
    (folder / "key").chmod(0o600)

    class Doorkeeper(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            nas.connections.append(conn)

    class Disk(asyncssh.SFTPServer):
        written = 0

        def write(self, file_obj: object, offset: int, data: bytes) -> int:
            self.written += len(data)
            if self.written > nas.cut_after:
                nas.connections[-1].abort()
            if self.written > nas.full_after:
                raise asyncssh.SFTPFailure("Failure")
            written = super().write(file_obj, offset, data)
            assert isinstance(written, int)
            return written

    listener = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Doorkeeper,
        server_host_keys=[host_key],
        authorized_client_keys=asyncssh.import_authorized_keys(key.export_public_key().decode()),
        sftp_factory=Disk,
    )
    nas.port = listener.get_port()
    public = host_key.export_public_key().decode()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{nas.port} {public}")
    try:
        yield nas
    finally:
        for connection in nas.connections:
            connection.abort()
        listener.close()
        await listener.wait_closed()


async def _write(place: Place, folder: str) -> None:
    await place.make(folder)
    async with parts.writing(place, folder, "farm", ()) as part:
        await part.take(DATA)


def test_a_backup_is_written_named_read_and_removed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _running(tmp_path) as nas, nas.place() as place:
            assert await place.names() == []
            await place.make("part")
            async with parts.writing(place, "part", "farm", ()) as part:
                await part.take(DATA)
            assert part.part is not None
            await place.rename("part", "whole")
            assert await place.names() == ["whole"]
            there = tmp_path / "srv/shop/whole"
            assert there.stat().st_mode & 0o777 == 0o700
            assert (there / "farm.gz").stat().st_mode & 0o777 == 0o600
            found = [piece async for piece in parts.content(place, "whole", part.part, None)]
            assert b"".join(found) == DATA
            await place.remove("whole")
            assert await place.names() == []

    asyncio.run(scenario())


def test_a_full_disk_there_is_told_and_the_line_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _running(tmp_path) as nas, nas.place() as place:
            nas.full_after = 1000
            with pytest.raises(BackupFailed, match=r"farm\.gz: Failure; is the disk there full"):
                await _write(place, ".x.part")
            await place.remove(".x.part")
            assert await place.names() == []

    asyncio.run(scenario())


def test_a_line_that_is_cut_leaves_nothing_that_counts(tmp_path: Path) -> None:
    name = "shop-20260304-050607Z"

    async def scenario() -> None:
        async with _running(tmp_path) as nas:
            nas.cut_after = 1000
            with pytest.raises(BackupFailed, match=r"srv/shop"):
                async with nas.place() as place:
                    await _write(place, names.unfinished(name, "ab12"))
            nas.cut_after = 10**12
            async with nas.place() as place:
                found = await place.names()
                assert not any(names.is_of("shop", each) for each in found)
                for left in names.leftovers("shop", "ab12", found):
                    await place.remove(left)
                assert await place.names() == []

    asyncio.run(scenario())


def test_a_host_key_that_is_not_known_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _running(tmp_path) as nas:
            (tmp_path / "known_hosts").write_text("")
            with pytest.raises(ServerRefused, match="ssh-keyscan"):
                async with nas.place():
                    pass

    asyncio.run(scenario())


def test_a_place_that_is_not_there_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _running(tmp_path) as nas:
            port = nas.port
        with pytest.raises(BackupFailed, match="cannot be reached"):
            async with sftp.opened(
                SshPlace("me", "127.0.0.1", port, "/x"), tmp_path / "key", tmp_path / "known_hosts"
            ):
                pass

    asyncio.run(scenario())
