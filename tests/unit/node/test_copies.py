"""What a server says of its copies, and what an apply asks of the database's keeper."""

from pathlib import Path

import pytest
from tests.unit.node.scripted import Folder
from tests.unit.node.test_apply import server
from tests.unit.node.test_session import talk

from stillup.node.copies import BIRTH, KEEPER, copies
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
