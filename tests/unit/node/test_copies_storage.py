"""What a server says of the shared files, from what its keeper and its watch wrote down."""

import json
import os
from pathlib import Path

import pytest
from tests.unit.node.scripted import Folder
from tests.unit.node.test_apply import server

from stillup.keeper import storage_gluster
from stillup.node import copies_storage
from stillup.node.message import JsonObject

GIVEN = {"name": "st1", "members": {"st1": "a", "st2": "b", "web2": "c"}, "arbiter": "web2"}
WELL = {"well": True, "why": "", "born": True, "connected": ["st2", "web2"]}


@pytest.fixture
def world(tmp_path: Path) -> Folder:
    return server(tmp_path / "server")


def put(world: Folder, path: str, value: object, age_s: float = 0.0) -> None:
    place = world.root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(value))
    os.utime(place, times=(world.wall_s() - age_s,) * 2)


def copy(*, well: bool, why: str, born: bool = True) -> JsonObject:
    told: JsonObject = {"well": well, "why": why, "peers": ["st2"], "leads": False, "born": born}
    return told | {"size": 3 if born else 0}


def test_a_copy_as_its_keeper_saw_it(world: Folder) -> None:
    put(world, copies_storage.SETTINGS, GIVEN)
    put(world, copies_storage.STATE, WELL, age_s=5)
    assert copies_storage.look(world) == copy(well=True, why="")
    put(world, copies_storage.STATE, WELL | {"well": False, "why": "7 files are still to heal"})
    assert copies_storage.look(world) == copy(well=False, why="7 files are still to heal")


def test_a_file_that_is_behind_since_the_keeper_looked_counts_at_once(world: Folder) -> None:
    put(world, copies_storage.SETTINGS, GIVEN)
    assert Path(copies_storage.INDEX) == storage_gluster.INDEX
    put(world, copies_storage.STATE, WELL, age_s=5)
    for entry in ("xattrop-4a7e", "11111111-0000-0000-0000-000000000001"):
        put(world, f"{copies_storage.INDEX}/{entry}", "")
    assert copies_storage.look(world) == copy(well=False, why="1 file is still to heal")
    put(world, f"{copies_storage.INDEX}/22222222-0000-0000-0000-000000000002", "")
    assert copies_storage.look(world) == copy(well=False, why="2 files are still to heal")


def test_a_keeper_that_does_not_look_is_no_well_copy(world: Folder) -> None:
    put(world, copies_storage.SETTINGS, GIVEN)
    silent = "the storage's keeper does not look"
    assert copies_storage.look(world) == copy(well=False, why=silent, born=False)
    put(world, copies_storage.STATE, WELL, age_s=60)
    assert copies_storage.look(world) == copy(well=False, why=silent)


def test_an_arbiter_and_a_server_without_storage_have_no_copy(world: Folder) -> None:
    assert copies_storage.look(world) is None
    put(world, copies_storage.SETTINGS, GIVEN | {"name": "web2"})
    assert copies_storage.look(world) is None


def test_the_mount_as_its_watch_saw_it(world: Folder) -> None:
    assert copies_storage.mounted(world) is None
    put(world, copies_storage.MOUNT, {"mount": "/srv/shared", "servers": []})
    assert copies_storage.mounted(world) == {
        "well": False,
        "why": "nobody looks at the shared storage",
    }
    put(world, copies_storage.WATCHED, {"well": True, "why": ""}, age_s=2)
    assert copies_storage.mounted(world) == {"well": True, "why": ""}
    put(world, copies_storage.WATCHED, {"well": False, "why": "/srv/shared hangs"}, age_s=2)
    assert copies_storage.mounted(world) == {"well": False, "why": "/srv/shared hangs"}
