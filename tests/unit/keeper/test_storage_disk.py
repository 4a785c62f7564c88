"""A brick's disk that is not mounted is not an empty brick."""

import os
from pathlib import Path

import pytest
from tests.unit.keeper.storage_world import settings

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


def test_what_lies_on_the_systems_disk_is_not_waited_for(
    brick: Path, mark: Path, mounts: Mounts
) -> None:
    remember(brick, mark)
    mounts.folders.remove(str(brick.parent))
    # Its files are here now, and at work: somebody has moved them.
    remember(brick, mark)
    assert not is_away(mark)
    assert not mark.exists()


def test_a_disk_at_another_place_is_remembered_there(
    brick: Path, mark: Path, mounts: Mounts
) -> None:
    remember(brick, mark)
    mounts.folders = {"/", str(brick)}
    remember(brick, mark)
    assert mark.read_text("utf-8") == f"{brick}\n"


@pytest.mark.parametrize(("away", "found"), [(True, Disk.AWAY), (False, Disk.EMPTY)])
def test_an_empty_folder_is_taken_for_an_empty_brick_only_with_its_disk(
    brick: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    away: bool,
    found: Disk,
) -> None:
    monkeypatch.setattr(storage_gluster, "BRICK", str(brick))
    monkeypatch.setattr(storage_disk, "is_away", lambda: away)
    assert storage_gluster._disk(None) is found
    (brick / "a file").touch()
    assert storage_gluster._disk(None) is Disk.FOREIGN


@pytest.mark.parametrize("away", [True, False])
def test_the_folder_is_not_made_where_its_disk_is_missing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    away: bool,
) -> None:
    monkeypatch.setattr(storage_disk, "is_away", lambda: away)
    monkeypatch.setattr(storage_seed, "_version", lambda: 110000)
    storage_seed.seed(settings("two", "s1"), tmp_path / "glusterd", tmp_path / "brick/data")
    assert (tmp_path / "brick/data").exists() is not away
