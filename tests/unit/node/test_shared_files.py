"""Shared files as a stream and back: whole, while they are written, and from nobody's hands."""

import asyncio
import io
import json
import os
import shutil
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.node.scripted import Folder

from stillup.backup.files_listing import listing_of
from stillup.errors import BackupBroken, ChangeRefused, InputRefused, ServerFailed
from stillup.node.requests import Operation, Session
from stillup.node.shared_files import RESTORING, Told, stream
from stillup.node.shared_restore import filled, put_in_place, unpack_beside

NAMES = ["uploads", "media/big"]


def _tree(mount: Path) -> None:
    (mount / "uploads/2026").mkdir(parents=True)
    (mount / "media/big").mkdir(parents=True)
    (mount / "elsewhere").mkdir()
    (mount / "elsewhere/not-shared").write_text("x")
    (mount / "uploads/2026/a.jpg").write_bytes(os.urandom(700_000))
    (mount / "uploads/2026/Zoë 😀\n.txt").write_text("a name")
    (mount / os.fsdecode(b"uploads/\xff\xfe")).write_text("a name that is no text")
    (mount / "uploads/empty").touch()
    (mount / "uploads/link").symlink_to("2026/a.jpg")
    (mount / "uploads/away").symlink_to("/etc/passwd")
    (mount / "media/big/b.bin").write_bytes(bytes(3_000_000))
    os.mkfifo(mount / "uploads/pipe")
    (mount / "uploads/2026/a.jpg").chmod(0o640)
    os.utime(mount / "uploads/2026/a.jpg", (1_000_000_000, 1_000_000_000))


def _streamed(root: Path, mount: Path, names: list[str]) -> tuple[Told, bytes]:
    """Return what ``stream`` tells, and the content of the stream."""
    out = io.BytesIO()
    told, size, _ = stream(Session(Folder(root), {}, io.BytesIO(), out), mount, names)
    out.seek(0)
    content = b""
    while line := out.readline():
        content += out.read(json.loads(line)["bytes"])
    assert len(content) == size
    return told, content


def _unpacked(root: Path, mount: Path, content: bytes) -> str:
    """Bring ``content`` as a controller does, beside ``mount``; return the listing."""
    given = b'{"op":"take","id":1,"stream":true}\n'
    for start in range(0, len(content), 100_000):
        piece = content[start : start + 100_000]
        given += b'{"bytes":%d}\n' % len(piece) + piece
    given += b'{"bytes":0}\n'
    mount.mkdir(exist_ok=True)
    take: Operation = lambda session, _: {"listing": unpack_beside(session, mount)}  # noqa: E731
    told = io.BytesIO()
    Session(Folder(root), {"take": take}, io.BytesIO(given), told).serve()
    answer = json.loads(told.getvalue())
    if "error" in answer:
        assert answer["error"]["code"] == InputRefused.code
        raise InputRefused(answer["error"]["message"])
    return str(answer["result"]["listing"])


def _content(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = os.fsencode(path.relative_to(folder)).decode("latin-1")
        status = path.lstat()
        what = str(path.readlink()) if path.is_symlink() else path.is_file() and path.read_bytes()
        if path.is_symlink() or path.is_file() or path.is_dir():
            found[name] = (what, status.st_mode, None if path.is_symlink() else status.st_mtime)
    return found


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    folder = tmp_path / "mount"
    folder.mkdir()
    _tree(folder)
    return folder


def test_what_is_streamed_is_put_back_as_it_was(tmp_path: Path, mount: Path) -> None:
    told, content = _streamed(tmp_path, mount, NAMES)
    assert (told.skipped, told.changing) == (1, [])
    there = tmp_path / "there"
    assert _unpacked(tmp_path, there, content) == told.listing.hexdigest()
    assert filled(there, NAMES) == 0, "nothing is in place before it is put there"
    put_in_place(there, NAMES)
    (mount / "uploads/pipe").unlink()
    os.utime(there / "uploads", ns=((mount / "uploads").stat().st_mtime_ns,) * 2)
    for name in NAMES:
        expected, found = _content(mount / name), _content(there / name)
        assert found == expected
    assert filled(there, NAMES) == 7
    assert sorted(path.name for path in there.iterdir()) == ["media", "uploads"]


def test_the_whole_site_is_put_back_and_what_was_there_before_is_gone(
    tmp_path: Path, mount: Path
) -> None:
    (mount / "uploads/pipe").unlink()
    _, content = _streamed(tmp_path, mount, ["."])
    there = tmp_path / "there"
    there.mkdir()
    (there / "of before").write_text("x")
    _unpacked(tmp_path, there, content)
    put_in_place(there, ["."])
    assert sorted(path.name for path in there.iterdir()) == ["elsewhere", "media", "uploads"]
    assert _content(there / "uploads") == _content(mount / "uploads")


@pytest.mark.parametrize("lacking", NAMES)
def test_a_shared_folder_that_is_not_there_is_no_backup(
    tmp_path: Path, mount: Path, lacking: str
) -> None:
    shutil.rmtree(mount / lacking)
    with pytest.raises(ServerFailed, match=f"the shared folder {lacking} is not there.*release"):
        _streamed(tmp_path, mount, NAMES)


def test_a_shared_folder_that_goes_while_it_is_read_is_no_backup(
    tmp_path: Path, mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the storage is unmounted meanwhile."""
    real = os.open

    def opened(path: Path, flags: int) -> int:
        descriptor = real(path, flags)
        if (mount / "uploads").exists():
            (mount / "uploads").rename(tmp_path / "gone")
        return descriptor

    monkeypatch.setattr("stillup.node.shared_files.os.open", opened)
    with pytest.raises(ServerFailed, match="the shared folder uploads is not there"):
        _streamed(tmp_path, mount, NAMES)


@pytest.mark.parametrize("arrived", [[], ["uploads"]])
def test_what_lacks_a_shared_folder_takes_nobodys_place(
    tmp_path: Path, mount: Path, arrived: list[str]
) -> None:
    (mount / "uploads/pipe").unlink()
    _, content = _streamed(tmp_path, mount, arrived)
    before = _content(mount)
    _unpacked(tmp_path, mount, content)
    with pytest.raises(ChangeRefused, match="the backup has no shared folder"):
        put_in_place(mount, NAMES)
    shutil.rmtree(mount / RESTORING)
    assert _content(mount) == before


@pytest.mark.parametrize("renames", range(4))
def test_an_exchange_that_was_interrupted_goes_on(
    tmp_path: Path, mount: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    """After each of its renames, two for each folder."""
    (mount / "uploads/pipe").unlink()
    _, content = _streamed(tmp_path, mount, NAMES)
    before = _content(mount / "uploads"), _content(mount / "media/big")
    _unpacked(tmp_path, mount, content)
    real, done = Path.rename, 0

    def rename(path: Path, target: Path) -> Path:
        nonlocal done
        if done == renames:
            raise KeyboardInterrupt
        done += 1
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        put_in_place(mount, NAMES)
    monkeypatch.undo()
    put_in_place(mount, NAMES)
    assert (_content(mount / "uploads"), _content(mount / "media/big")) == before
    assert not (mount / RESTORING).exists()


def test_a_file_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file grows under the reader's hands once, and shrinks under them always."""
    once, always = mount / "uploads/2026/a.jpg", mount / "media/big/b.bin"
    real, grown = os.read, False

    def read(descriptor: int, size: int) -> bytes:
        nonlocal grown
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        data = real(descriptor, size)
        if name == str(once) and not grown:
            grown = True
            with once.open("ab") as file:
                file.write(b"more")
        if name == str(always):
            os.truncate(always, 10)
            with always.open("ab") as file:
                file.write(os.urandom(8))
        return data

    monkeypatch.setattr("stillup.node.shared_files.os.read", read)
    told, content = _streamed(tmp_path, mount, NAMES)
    monkeypatch.undo()
    assert told.changing == ["media/big/b.bin"]
    there = tmp_path / "there"
    _unpacked(tmp_path, there, content)
    put_in_place(there, NAMES)
    assert (there / "uploads/2026/a.jpg").read_bytes() == once.read_bytes()


def test_the_listing_is_the_same_wherever_the_stream_is_read(tmp_path: Path, mount: Path) -> None:
    told, content = _streamed(tmp_path, mount, NAMES)

    async def pieces(data: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(data), 65536):
            yield data[start : start + 65536]

    assert asyncio.run(listing_of(pieces(content))) == told.listing.hexdigest()
    damaged = bytearray(content)
    damaged[content.index(b"a name that") + 3] ^= 1
    assert asyncio.run(listing_of(pieces(bytes(damaged)))) != told.listing.hexdigest()
    with pytest.raises(BackupBroken, match="no sound archive"):
        asyncio.run(listing_of(pieces(content[:100_000])))


async def _failing() -> AsyncIterator[bytes]:
    yield bytes(512)
    raise BackupBroken("the place gives no more")


def test_a_stream_that_fails_ends_the_reading(tmp_path: Path) -> None:
    with pytest.raises(BackupBroken):
        asyncio.run(listing_of(_failing()))


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([("../out", tarfile.REGTYPE, "")], "lies outside"),
        ([("/etc/out", tarfile.REGTYPE, "")], "lies outside"),
        ([(".stillup-restore/x", tarfile.REGTYPE, "")], "lies outside"),
        ([("a", tarfile.SYMTYPE, "/etc"), ("a/out", tarfile.REGTYPE, "")], "folder is a link"),
        ([("a", tarfile.CHRTYPE, "")], "no file, folder or link"),
        ([("a", tarfile.LNKTYPE, "/etc/passwd")], "no file, folder or link"),
    ],
)
def test_nothing_is_written_outside(
    tmp_path: Path, entries: list[tuple[str, bytes, str]], reason: str
) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, kind, target in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            tar.addfile(entry)
    with pytest.raises(InputRefused, match=reason):
        _unpacked(tmp_path, tmp_path / "there", made.getvalue())
    assert not (tmp_path / "out").exists()
