"""A part is given back as it was taken, or not at all: damage, a wrong key, a full disk."""

import asyncio
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillup.backup import age, parts
from stillup.backup.folder import Folder
from stillup.backup.manifest import Part
from stillup.errors import BackupBroken, BackupFailed

DATA = b"".join(bytes([number % 251]) * 1000 for number in range(3000))
needs_age = pytest.mark.skipif(
    shutil.which("age") is None, reason="the program age is not here (scripts/prepare dev)"
)


async def _written(root: Path, recipients: tuple[str, ...] = ()) -> Part:
    place = Folder(root)
    await place.make("backup")
    async with parts.writing(place, "backup", "database", recipients) as part:
        for start in range(0, len(DATA), 100_000):
            await part.take(DATA[start : start + 100_000])
    assert part.part is not None
    return part.part


async def _read(root: Path, part: Part, identity: bytes | None = None) -> bytes:
    found = [piece async for piece in parts.content(Folder(root), "backup", part, identity)]
    assert max(map(len, found)) <= 1024 * 1024
    return b"".join(found)


def test_a_part_is_compressed_private_and_given_back(tmp_path: Path) -> None:
    part = asyncio.run(_written(tmp_path))
    assert (part.file, part.bytes) == ("database.gz", len(DATA))
    file = tmp_path / "backup/database.gz"
    assert file.stat().st_size == part.stored_bytes < len(DATA) // 20
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600
    assert asyncio.run(_read(tmp_path, part)) == DATA


@pytest.mark.parametrize("where", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("what", ["a bit flips", "the rest is lost"])
def test_damage_is_found(tmp_path: Path, where: float, what: str) -> None:
    part = asyncio.run(_written(tmp_path))
    file = tmp_path / "backup" / part.file
    data = bytearray(file.read_bytes())
    at = int(len(data) * where)
    if what == "a bit flips":
        data[at] ^= 1
    else:
        del data[at:]
    file.write_bytes(data)
    with pytest.raises(BackupBroken, match=r"database\.gz"):
        asyncio.run(_read(tmp_path, part))


@needs_age
def test_an_encrypted_part_opens_with_each_of_its_keys_and_with_no_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        owner, ours, other = [await age.new_key() for _ in range(3)]
        part = await _written(tmp_path, (owner.recipient, ours.recipient))
        assert part.file == "database.gz.age"
        assert (tmp_path / "backup" / part.file).read_bytes().startswith(b"age-encryption.org/v1")
        for key in (owner, ours):
            assert await _read(tmp_path, part, key.identity) == DATA
        with pytest.raises(BackupBroken, match="cannot be opened"):
            await _read(tmp_path, part, other.identity)
        with pytest.raises(BackupFailed, match="--identity"):
            await _read(tmp_path, part)

    asyncio.run(scenario())


@needs_age
def test_damage_to_an_encrypted_part_is_found(tmp_path: Path) -> None:
    async def scenario() -> None:
        key = await age.new_key()
        part = await _written(tmp_path, (key.recipient,))
        file = tmp_path / "backup" / part.file
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
        with pytest.raises(BackupBroken):
            await _read(tmp_path, part, key.identity)

    asyncio.run(scenario())


@needs_age
def test_a_recipient_that_is_none_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="nobody"):
        asyncio.run(_written(tmp_path, ("nobody",)))


def test_without_the_program_the_way_out_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupFailed, match="apt-get install age"):
        asyncio.run(_written(tmp_path / "place", ("age1x",)))


@pytest.fixture
def small_files() -> Iterator[None]:
    """The kernel refuses to let any file of this process grow beyond 4 kB, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_files")
def test_a_disk_that_takes_no_more_fails_the_part_and_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match=r"backup/database\.gz: File too large"):
        asyncio.run(_written(tmp_path))
