"""What a database server says of its copy: its keeper's word, and its settings where that is silent."""

import json
from pathlib import Path

import pytest
from tests.unit.node.scripted import Folder
from tests.unit.node.test_apply import server

from stillup.node.copies import copies
from stillup.node.world import Ran

MEMBER = {"phase": "member", "writer": "db1", "size": 3, "reason": ""}


@pytest.fixture
def world(tmp_path: Path) -> Folder:
    world = server(tmp_path / "server")
    _write(
        world,
        "etc/stillup/database.json",
        json.dumps({"name": "db1", "peers": {"db2": "10.0.0.7"}}),
    )
    return world


def _write(world: Folder, path: str, text: str) -> None:
    place = world.root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")


def _tells(world: Folder, monkeypatch: pytest.MonkeyPatch, out: str, code: int = 0) -> None:
    monkeypatch.setattr(world, "run", lambda *_, **__: Ran(code, out=out.encode()))


def test_the_writer(world: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    _tells(world, monkeypatch, json.dumps(MEMBER))
    assert copies(world)["database"] == {
        "well": True,
        "why": "",
        "peers": ["db2"],
        "leads": True,
        "phase": "member",
        "writer": "db1",
        "size": 3,
    }


def test_one_that_joins(world: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    _tells(world, monkeypatch, json.dumps({**MEMBER, "phase": "joining", "reason": "it joins"}))
    told = copies(world)["database"]
    assert isinstance(told, dict)
    assert (told["well"], told["why"], told["leads"]) == (False, "it joins", False)


@pytest.mark.parametrize(("out", "code"), [("", 1), ("no JSON", 1), ("[1]", 0)])
def test_a_silent_keeper_is_not_well(
    world: Folder, monkeypatch: pytest.MonkeyPatch, out: str, code: int
) -> None:
    _tells(world, monkeypatch, out, code)
    told = copies(world)["database"]
    assert isinstance(told, dict)
    assert (told["well"], told["why"]) == (False, "the database's keeper does not answer")
    assert told["peers"] == ["db2"]
