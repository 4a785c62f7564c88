"""What lies in the data folder while MariaDB does not run, and the keeper's marks."""

from pathlib import Path

import pytest

from stillup.keeper import data_folder, grastate
from stillup.keeper.data_folder import Looked, Marks, look
from stillup.keeper.seen import Phase, Position

CLUSTER = "1bdf2bd6-e6ea-11f1-8208-538b93b86b84"
GRASTATE = "# GALERA saved state\nversion: 2.1\nuuid:    {}\nseqno:   {}\nsafe_to_bootstrap: 0\n"
VIEW = "my_uuid: a\n#vwbeg\nview_id: 3 aa38ee4f 9\nbootstrap: 0\nmember: aa38 0\nmember: aa81 0\n#vwend\n"


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(tmp_path / "marks")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for name in ("mysql", "sys", "performance_schema"):
        (folder / name).mkdir(parents=True)
    (folder / "ibdata1").touch()
    return folder


def seen(marks: Marks, data: Path) -> tuple[Phase, Position | None]:
    looked: Looked = look(marks, data)
    return looked.phase, looked.position


def test_a_fresh_installation_is_empty(marks: Marks, data: Path) -> None:
    assert seen(marks, data) == (Phase.EMPTY, None)


def test_a_missing_folder_is_empty(marks: Marks, tmp_path: Path) -> None:
    assert seen(marks, tmp_path / "nothing") == (Phase.EMPTY, None)


def test_somebodys_databases_are_not_empty(marks: Marks, data: Path) -> None:
    (data / "shop").mkdir()
    assert seen(marks, data) == (Phase.PLAIN, None)


@pytest.mark.parametrize("text", ["", GRASTATE.format(grastate.NOBODY, -1), "rubbish"])
def test_a_members_data_that_galera_does_not_trust_are_broken(
    marks: Marks, data: Path, text: str
) -> None:
    marks.write_member(CLUSTER, ())
    (data / "grastate.dat").write_text(text)
    assert seen(marks, data) == (Phase.BROKEN, None)


def test_half_a_copy_is_as_good_as_nothing(marks: Marks, data: Path) -> None:
    marks.write_member(CLUSTER, ())
    marks.write("joining")
    (data / "shop").mkdir()
    (data / "grastate.dat").write_text("")
    assert seen(marks, data) == (Phase.EMPTY, None)


def test_no_data_where_a_member_was_are_not_nothing(marks: Marks, tmp_path: Path) -> None:
    marks.write_member(CLUSTER, ())
    assert seen(marks, tmp_path / "not mounted") == (Phase.BROKEN, None)
    marks.write("joining")
    assert seen(marks, tmp_path / "not mounted") == (Phase.EMPTY, None)


@pytest.mark.parametrize("joining", [False, True])
def test_a_persons_founding_that_was_interrupted_can_be_gone_on_with(
    marks: Marks, data: Path, *, joining: bool
) -> None:
    marks.write_member(CLUSTER, ())
    marks.write("force", f"{CLUSTER}:7")
    if joining:  # it had waited for its group before
        marks.write("joining")
    data_folder.allow_founding(None, data)
    assert seen(marks, data) == (Phase.STOPPED, Position(CLUSTER, 7))
    (data / "grastate.dat").write_text(GRASTATE.format(grastate.NOBODY, -1))
    assert seen(marks, data) == (Phase.STOPPED, Position(CLUSTER, 7))


def test_the_saved_view_has_a_name_and_a_size(data: Path) -> None:
    assert data_folder.saved_view(data) == ("", 0)
    (data / "gvwstate.dat").write_text(VIEW)
    assert data_folder.saved_view(data) == ("3 aa38ee4f 9", 2)
    data_folder.forget_view(data)
    assert data_folder.saved_view(data) == ("", 0)


def test_the_position_is_found_in_the_log_of_a_recovery() -> None:
    log = f"x\n2026-01-01 1:02:03 0 [Note] WSREP: Recovered position: {CLUSTER}:17\n"
    assert grastate.recovered(log) == Position(CLUSTER, 17)
    assert grastate.recovered("nothing") is None


def test_what_lets_galera_found_is_read_back() -> None:
    text = grastate.founding(Position(CLUSTER, 5))
    assert grastate.parse(text) == grastate.Grastate(CLUSTER, 5)
    assert "safe_to_bootstrap: 1" in text


def test_the_marks_are_remembered(marks: Marks) -> None:
    assert marks.member() == ("", ())
    marks.write_member(CLUSTER, (Position("old", 9),))
    assert marks.member() == (CLUSTER, (Position("old", 9),))
    marks.write("force", "old:9")
    assert marks.read("force") == "old:9"
    marks.remove("force")
    assert not marks.has("force")
