"""A brick's disk that is not mounted is not an empty brick."""

import os
from pathlib import Path

import pytest
from tests.unit.keeper.storage_world import settings

from stillup.errors import ServerFailed
from stillup.keeper import storage_disk, storage_gluster, storage_seed
from stillup.keeper.storage_disk import is_away, remember
from stillup.keeper.storage_seen import Disk


class Mounts:
    """Which folders are mount points, beside the system's own."""

    def __init__(self, *folders: Path) -> None:
        self.folders = {"/", *map(str, folders)}

    def ismount(self, folder: str | Path) -> bool:
        return str(folder) in self.folders


@pytest.fixture
def brick(tmp_path: Path) -> Path:
    folder = tmp_path / "srv/brick/data"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch, brick: Path) -> Mounts:
    """The brick's disk, mounted above its folder."""
    mounts = Mounts(brick.parent)
    monkeypatch.setattr(os.path, "ismount", mounts.ismount)
    return mounts


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "var/mark"


def test_a_disk_that_was_there_and_is_not_is_away(brick: Path, mark: Path, mounts: Mounts) -> None:
    assert not is_away(mark)
    remember(brick, mark)
    assert not is_away(mark)
    mounts.folders.remove(str(brick.parent))
    assert is_away(mark)


def test_what_lies_on_the_systems_disk_does_not_make_the_other_forgotten(
    brick: Path, mark: Path, mounts: Mounts
) -> None:
    remember(brick, mark)
    mounts.folders.remove(str(brick.parent))
    # It may be what lay there before the disk was mounted for the first time.
    remember(brick, mark)
    assert is_away(mark)


def test_a_brick_on_the_systems_disk_is_never_away(brick: Path, mark: Path, mounts: Mounts) -> None:
    mounts.folders = {"/"}
    remember(brick, mark)
    assert not mark.exists()
    assert not is_away(mark)


def test_a_disk_at_another_place_is_remembered_there(
    brick: Path, mark: Path, mounts: Mounts
) -> None:
    remember(brick, mark)
    mounts.folders = {"/", str(brick)}
    remember(brick, mark)
    assert mark.read_text("utf-8") == f"{brick}\n"


@pytest.mark.parametrize(("away", "found"), [(True, Disk.AWAY), (False, Disk.FOREIGN)])
def test_what_is_seen_in_the_place_of_a_disk_that_is_away_is_nothing(
    brick: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    away: bool,
    found: Disk,
) -> None:
    (brick / "a file").touch()
    monkeypatch.setattr(storage_gluster, "BRICK", str(brick))
    monkeypatch.setattr(storage_disk, "is_away", lambda: away)
    assert storage_gluster._disk(None) is found


def test_gluster_does_not_start_without_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_disk, "is_away", lambda: True)
    monkeypatch.setattr(storage_seed, "_version", lambda: 110000)
    own, root, brick = settings("two", "s1"), tmp_path / "glusterd", tmp_path / "brick/data"
    with pytest.raises(ServerFailed, match="is not mounted"):
        storage_seed.seed(own, root, brick)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(storage_disk, "is_away", lambda: False)
    storage_seed.seed(own, root, brick)
    assert brick.is_dir()
