"""What a server says of the room on its disks; another file system is one with another device number."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.unit.node.scripted import Folder

from stillup.keeper.data_folder import DATA
from stillup.keeper.storage_settings import BRICK
from stillup.node.room import FOLDERS, disks
from stillup.parts.nfs import EXPORT


@pytest.fixture
def world(tmp_path: Path) -> Folder:
    (tmp_path / "var/lib/mysql").mkdir(parents=True)
    return Folder(tmp_path)


def given(monkeypatch: pytest.MonkeyPatch, root: Path, mounts: dict[str, int]) -> list[str]:
    """Have the folders of ``mounts`` be file systems; returns which were asked for their room."""
    asked: list[str] = []

    def mounted(path: Path) -> str:
        inside = "/" + str(path.relative_to(root)).lstrip(".")
        return max((m for m in mounts if f"{inside}/".startswith(m.rstrip("/") + "/")), key=len)

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result | SimpleNamespace:
        real = os.stat(path)  # noqa: PTH116 # Path.stat is what is replaced
        if not path.is_relative_to(root):
            return real
        device = os.makedev(8, sorted(mounts).index(mounted(path)))
        return SimpleNamespace(st_dev=device, st_mode=real.st_mode)

    def statvfs(path: Path) -> SimpleNamespace:
        asked.append(mounted(path))
        flag = mounts[mounted(path)]
        return SimpleNamespace(f_bfree=1, f_blocks=4, f_frsize=1024, f_flag=flag)

    monkeypatch.setattr(Path, "stat", stat)
    monkeypatch.setattr(os, "statvfs", statvfs)
    return asked


def disk(path: str, *, read_only: bool = False) -> dict[str, object]:
    return {"path": path, "free": 1024, "size": 4096, "read_only": read_only}


def test_every_folder_of_data_is_looked_at() -> None:
    assert {str(DATA), BRICK, EXPORT} <= set(FOLDERS)


def test_one_file_system_is_asked_once(world: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = given(monkeypatch, world.root, {"/": 0})
    assert disks(world) == [disk("/")]
    assert asked == ["/"]


def test_a_mount_above_the_data_and_a_bricks_are_told_by_where_they_are(
    world: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.root / "srv/stillup/brick/data").mkdir(parents=True)
    given(monkeypatch, world.root, {"/": 0, "/var/lib": 0, "/srv/stillup/brick": os.ST_RDONLY})
    assert disks(world) == [
        disk("/"),
        disk("/var/lib"),
        disk("/srv/stillup/brick", read_only=True),
    ]


@pytest.mark.parametrize("word", ["shutdown", "emergency_ro"])
def test_a_file_system_that_the_kernel_ended_is_read_only(
    world: Folder, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    info = world.root / "proc/self/mountinfo"
    info.parent.mkdir(parents=True)
    info.write_text(
        "20 1 8:0 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"21 20 8:1 / /var/lib rw shared:2 - ext4 /dev/sdb rw,{word}\n"
    )
    given(monkeypatch, world.root, {"/": 0, "/var/lib": 0})
    assert disks(world) == [disk("/"), disk("/var/lib", read_only=True)]
