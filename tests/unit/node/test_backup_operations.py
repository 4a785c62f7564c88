"""Backups and restores of the shared files where their storage is not mounted."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from tests.unit.node.scripted import Folder

from stillup.node.backup_operations import OPERATIONS
from stillup.node.message import JsonObject
from stillup.node.requests import Session
from stillup.node.shared_files import Told

SHARED: JsonObject = {"mount": "/srv/shared", "folders": ["uploads"]}
MOUNTS = {
    "GlusterFS": "shop /srv/shared fuse.glusterfs rw 0 0",
    "NFS": "10.0.0.9:/shared /srv/shared nfs4 rw 0 0",
    "none": "tmpfs /srv/shared.old tmpfs rw 0 0",
}


def _world(root: Path, mounts: str) -> Folder:
    (root / "srv/shared/uploads").mkdir(parents=True)
    (root / "srv/shared/uploads/a.jpg").write_text("a")
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mounts").write_text(f"/dev/sda / ext4 rw 0 0\n{MOUNTS[mounts]}\n")
    return Folder(root)


def _asked(world: Folder, operation: str, more: JsonObject, stream: bytes | None = None) -> str:
    """Return the session's answer to one request, without what it streams before."""
    request = {"op": operation, "id": 1, **SHARED, **more}
    if stream is not None:
        request["stream"] = True
    given = json.dumps(request).encode() + b"\n"
    if stream is not None:
        given += b'{"bytes":%d}\n' % len(stream) + stream + b'{"bytes":0}\n'
    told = io.BytesIO()
    Session(world, OPERATIONS, io.BytesIO(given), told).serve()
    said = told.getvalue()
    return said[said.rindex(b'{"id":1') :].decode()


def _archive(name: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(entry)
    return made.getvalue()


def _tree(world: Folder) -> list[str]:
    return sorted(str(path) for path in (world.root / "srv").rglob("*"))


@pytest.mark.parametrize(
    ("operation", "more", "stream"),
    [
        ("backup.mounted", {}, None),
        ("backup.files", {}, None),
        ("restore.filled", {}, None),
        ("restore.files", {"listing": ""}, _archive("uploads")),
        ("restore.place", {}, None),
    ],
)
def test_nothing_is_read_or_written_where_the_storage_is_not_mounted(
    tmp_path: Path, operation: str, more: JsonObject, stream: bytes | None
) -> None:
    world = _world(tmp_path, "none")
    (tmp_path / "srv/shared/.stillup-restore/new/uploads").mkdir(parents=True)
    before = _tree(world)
    answer = _asked(world, operation, more, stream)
    assert "the shared storage is not mounted at /srv/shared" in answer
    assert _tree(world) == before


@pytest.mark.parametrize("mounts", ["GlusterFS", "NFS"])
def test_where_it_is_mounted_they_are_read(tmp_path: Path, mounts: str) -> None:
    world = _world(tmp_path, mounts)
    assert json.loads(_asked(world, "backup.mounted", {}))["result"] == {}
    assert json.loads(_asked(world, "backup.files", {}))["result"]["entries"] == 2
    assert json.loads(_asked(world, "restore.filled", {}))["result"] == {"files": 1}


def test_files_that_lack_a_shared_folder_are_refused_when_they_come(tmp_path: Path) -> None:
    """Before the database is exchanged."""
    world = _world(tmp_path, "NFS")
    stream = _archive("media")
    listing = Told()
    listing.add("folder", 0, "-", "media")
    more: JsonObject = {"listing": listing.listing.hexdigest()}
    answer = json.loads(_asked(world, "restore.files", more, stream))
    assert answer["error"]["code"] == "change-refused"
    assert "the backup has no shared folder uploads" in answer["error"]["message"]
    assert (tmp_path / "srv/shared/uploads/a.jpg").read_text() == "a"
