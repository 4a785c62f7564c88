"""Who takes the site's writes: one at a time, and soon another when it is gone."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from stillup.keeper.room import AGAIN_BYTES, LEAST_BYTES, has_room
from stillup.keeper.writer import EACH_S, SILENT_S, STEADY_S, Roles, change, naming, wants

LONG_S = STEADY_S + 10


@pytest.mark.parametrize(
    ("name", "view", "writer", "named_s", "silent_s", "wanted"),
    [
        # Nobody was ever named: the first by name.
        ("a", ("a", "b"), None, 0.0, {"b": 0.0}, True),
        ("b", ("a", "b"), None, 0.0, {"a": 0.0}, False),
        ("b", ("a", "b"), None, EACH_S, {"a": 0.0}, True),
        # The writer is there.
        ("a", ("a", "b"), "a", LONG_S, {"b": 0.0}, False),
        ("a", ("a", "b"), "b", LONG_S, {"b": 0.0}, False),
        # The group has lost it: the next in order at once, the one after it a little later.
        ("b", ("b", "c"), "a", 0.0, {"a": 9.0, "c": 0.0}, True),
        ("c", ("b", "c"), "a", 0.0, {"a": 9.0, "b": 0.0}, False),
        ("c", ("b", "c"), "a", 0.0, {"a": 9.0, "b": 9.0}, True),
        # The group has it still, and its keeper is silent.
        ("b", ("a", "b", "c"), "a", LONG_S, {"a": SILENT_S, "c": 0.0}, True),
        ("c", ("a", "b", "c"), "a", LONG_S, {"a": SILENT_S, "b": 0.0}, False),
        ("b", ("a", "b", "c"), "a", LONG_S, {"a": 0.5, "c": 0.0}, False),
        # Two that cannot hear one another do not take it in turns.
        ("b", ("a", "b"), "a", STEADY_S / 2, {"a": 99.0}, False),
    ],
)
def test_who_names_itself(
    name: str,
    view: tuple[str, ...],
    writer: str | None,
    named_s: float,
    silent_s: dict[str, float],
    *,
    wanted: bool,
) -> None:
    assert wants(Roles(name, view, writer, named_s, silent_s)) is wanted


def test_the_name_is_changed_only_from_the_one_that_was_read() -> None:
    roles = Roles("b", ("b",), "a", 0.0, {})
    assert naming(roles, has_table=True) == (change("a", "b"),)
    assert change("a", "b").endswith("WHERE id = 1 AND name = 'a'")


def test_the_table_is_made_where_there_is_none() -> None:
    statements = naming(Roles("a", ("a",), None, 0.0, {}), has_table=False)
    assert [text.split()[0] for text in statements] == ["CREATE", "CREATE", "CREATE", "INSERT"]


@pytest.mark.parametrize(
    ("name", "view", "writer", "named_s", "silent_s", "cramped", "wanted"),
    [
        # The writer's disk has no room: the first that has some takes over at once.
        ("b", ("a", "b", "c"), "a", LONG_S, {"a": 0.0, "c": 0.0}, "a", True),
        ("c", ("a", "b", "c"), "a", LONG_S, {"a": 0.0, "b": 0.0}, "a", False),
        ("c", ("a", "b", "c"), "a", LONG_S, {"a": 0.0, "b": 0.0}, "ab", True),
        ("c", ("a", "b", "c"), "a", LONG_S, {"a": 0.0, "b": 9.0}, "a", True),
        # One that was named a moment ago was told to be it, by a server that is about to restart.
        ("b", ("a", "b"), "a", STEADY_S - 1, {"a": 0.0}, "a", False),
        # Nobody has any: it stays where it is, also when the writer then falls silent or goes.
        ("b", ("a", "b"), "a", LONG_S, {"a": 0.0}, "ab", False),
        ("b", ("a", "b"), "a", LONG_S, {"a": SILENT_S}, "ab", True),
        ("b", ("b",), "a", 0.0, {"a": 9.0}, "ab", True),
        # Another one that has none neither takes the role from a sound one nor goes first.
        ("b", ("a", "b"), "a", LONG_S, {"a": 0.0}, "b", False),
        ("a", ("a", "b"), None, 0.0, {"b": 0.0}, "a", False),
        ("b", ("a", "b"), None, 0.0, {"a": 0.0}, "a", True),
        ("a", ("a", "b"), None, EACH_S, {"b": 0.0}, "a", True),
    ],
)
def test_who_has_room_goes_before_who_has_none(
    name: str,
    view: tuple[str, ...],
    writer: str | None,
    named_s: float,
    silent_s: dict[str, float],
    cramped: str,
    *,
    wanted: bool,
) -> None:
    roles = Roles(name, view, writer, named_s, silent_s, frozenset(cramped))
    assert wants(roles) is wanted


def disk(free: int, flags: int = 0) -> SimpleNamespace:
    return SimpleNamespace(f_bavail=free, f_frsize=1, f_flag=flags)


def test_a_disk_has_room_again_when_twice_as_much_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[bool] = []
    for free in (LEAST_BYTES, LEAST_BYTES - 1, AGAIN_BYTES - 1, AGAIN_BYTES, AGAIN_BYTES - 1):
        monkeypatch.setattr(os, "statvfs", lambda _, free=free: disk(free))
        found.append(has_room(had=found[-1] if found else True))
    assert found == [True, False, False, True, True]


def test_a_read_only_disk_and_one_that_does_not_answer_have_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: disk(AGAIN_BYTES, os.ST_RDONLY))
    assert not has_room()
    monkeypatch.undo()
    assert not has_room(tmp_path / "away")
