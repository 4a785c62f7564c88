"""What a server says of its copies, and what an apply asks of the database's keeper."""

from pathlib import Path

import pytest
from tests.unit.node.scripted import Folder
from tests.unit.node.test_apply import server
from tests.unit.node.test_session import talk

from stillup.node.copies import BIRTH, KEEPER, MEMORIES, PLAIN, copies, has_group
from stillup.node.manifest import Manifest, write_manifest
from stillup.node.message import JsonObject
from stillup.node.world import Ran


@pytest.fixture
def world(tmp_path: Path) -> Folder:
    return server(tmp_path / "server")


def test_a_server_that_keeps_nothing_together_with_others_says_nothing(world: Folder) -> None:
    assert copies(world) == {}


def test_marked_twice_it_is_marked(world: Folder) -> None:
    request: JsonObject = {"op": "database", "id": 1, "action": "found"}
    assert [each["result"] for each in talk(world, request, request)] == [{}, {}]
    assert (world.root / BIRTH.lstrip("/")).is_file()


@pytest.mark.parametrize(("units", "forgotten"), [((PLAIN,), True), ((), False)])
def test_who_ran_alone_forgets_the_group_of_before(
    world: Folder, units: tuple[str, ...], *, forgotten: bool
) -> None:
    for path in (*MEMORIES, BIRTH):
        place = world.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("")
    folder = world.root / "var/lib/stillup"
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(world, Manifest(0.0, "", "", {}, units, {}, ()))
    talk(world, {"op": "database", "id": 1, "action": "found"})
    left = [path for path in MEMORIES if (world.root / path.lstrip("/")).exists()]
    assert left == ([] if forgotten else list(MEMORIES))
    assert has_group(world)


def test_a_keeper_that_does_not_take_the_lead_says_why(
    world: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def refuse(argv: object, *, environment: object = None, **_: object) -> Ran:
        asked.extend((argv, environment))
        return Ran(1, err=b"db2 is not synced\n")

    monkeypatch.setattr(world, "run", refuse)
    (answer,) = talk(world, {"op": "database", "id": 1, "action": "take"})
    assert answer["error"] == {
        "code": "server-failed",
        "message": "it does not become the writer: db2 is not synced",
    }
    assert asked == [
        ["python3", "-m", "stillup.keeper", "take"],
        {"PYTHONPATH": KEEPER},
    ]


def test_another_action_is_no_action(world: Folder) -> None:
    (answer,) = talk(world, {"op": "database", "id": 1, "action": "drop"})
    assert answer["error"] == {
        "code": "input-refused",
        "message": "database: there is no action 'drop'",
    }
