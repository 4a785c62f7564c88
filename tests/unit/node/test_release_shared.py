"""A release whose folders live on the shared storage."""

import json
from pathlib import Path

import pytest
from tests.unit.node.scripted import Folder
from tests.unit.node.test_release import archive, member, put

from stillup.errors import ServerFailed
from stillup.node import release
from stillup.node.release_shared import SETTINGS

FIRST = archive(member("index.php", "1"), member("uploads/logo.txt", "first"))
SECOND = archive(member("index.php", "2"), member("uploads/logo.txt", "second"))


@pytest.fixture
def world(tmp_path: Path) -> Folder:
    root = tmp_path / "server"
    for folder in ("srv/shared", "etc/stillup", "proc/self"):
        (root / folder).mkdir(parents=True)
    settings = {"mount": "/srv/shared", "folders": ["uploads", "var/cache"]}
    (root / SETTINGS.lstrip("/")).write_text(json.dumps(settings))
    mount(root, "shop /srv/shared fuse.glusterfs rw 0 0")
    return Folder(root)


def mount(root: Path, line: str) -> None:
    (root / "proc/self/mounts").write_text(f"/dev/sda / ext4 rw 0 0\n{line}\n")


def shared(world: Folder) -> Path:
    return world.root / "srv/shared"


def test_the_first_release_fills_the_storage_and_a_later_one_leaves_it(world: Folder) -> None:
    put(world, "one", FIRST)
    put(world, "two", SECOND)
    assert (shared(world) / "uploads/logo.txt").read_text() == "first"
    for name in ("one", "two"):
        folder = world.root / "srv/site/releases" / name
        assert (folder / "uploads").readlink() == Path("/srv/shared/uploads")
        assert (folder / "var/cache").readlink() == Path("/srv/shared/var/cache")
    assert sorted(path.name for path in shared(world).iterdir()) == ["uploads", "var"]


def test_what_users_wrote_stays_whatever_a_release_brings(world: Folder) -> None:
    (shared(world) / "uploads").mkdir()
    (shared(world) / "uploads/theirs.txt").write_text("theirs")
    put(world, "one", FIRST)
    assert [path.name for path in (shared(world) / "uploads").iterdir()] == ["theirs.txt"]


def test_a_release_that_was_there_before_its_folder_was_shared_is_linked_too(world: Folder) -> None:
    settings = (world.root / SETTINGS.lstrip("/")).read_text()
    (world.root / SETTINGS.lstrip("/")).unlink()
    put(world, "one", FIRST)
    assert not (world.root / "srv/site/releases/one/uploads").is_symlink()
    (world.root / SETTINGS.lstrip("/")).write_text(settings)
    assert not put(world, "one", FIRST)
    assert (world.root / "srv/site/releases/one/uploads").is_symlink()
    assert (shared(world) / "uploads/logo.txt").read_text() == "first"


def test_nothing_is_written_where_the_storage_is_not_mounted(world: Folder) -> None:
    mount(world.root, "proc /proc proc rw 0 0")
    with pytest.raises(ServerFailed, match="not mounted at /srv/shared"):
        put(world, "one", FIRST)
    assert not list(shared(world).iterdir())
    assert release.listing(world)["releases"] == []
