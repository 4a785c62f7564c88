"""Which server is copied from, and what a copy must hold."""

import pytest

from stillup.backup.source import Look, chosen, missing
from stillup.errors import BackupFailed

T1, T2, T3 = (("site", name, "InnoDB") for name in ("a", "b", "c"))


def look(writer: str | None, *, usable: bool = True) -> Look:
    return Look("11.8", (), 0, 0, clustered=True, usable=usable, writer=writer)


def test_the_writer_is_left_alone_where_there_is_another() -> None:
    assert chosen({"d1": look("d1"), "d2": look("d1"), "d3": look("d1")}, []) == "d3"
    assert chosen({"d1": look("d3"), "d2": look("d3"), "d3": look("d3")}, []) == "d2"
    assert chosen({"d1": look("d1"), "d2": look("d1", usable=False)}, []) == "d1"
    assert chosen({"d1": look(None)}, []) == "d1"


def test_nobody_to_copy_from_is_said_with_the_reasons() -> None:
    with pytest.raises(BackupFailed, match="d1 is off"):
        chosen({}, ["d1 is off"])
    with pytest.raises(BackupFailed, match="d1 is not in its group"):
        chosen({"d1": look(None, usable=False)}, [])


def test_a_table_that_was_there_all_the_while_must_be_in_the_copy() -> None:
    assert missing([T1, T2], [T1, T2], [T1]) == ("site.b",)
    assert missing([T1, T2], [T1, T3], [T1]) == ()
    assert missing([T1], [T1], [T1, T3]) == ()
