"""A database keeper whose own files cannot be written: it goes on, and does nothing its marks do not announce."""

import errno
import os
import time
from pathlib import Path

import pytest

from stillup.keeper import data_folder, own_server, systemd
from stillup.keeper.data_folder import Marks
from stillup.keeper.database import Keeper
from stillup.keeper.mariadb import NoAnswer
from stillup.keeper.mariadb_wire import Result
from stillup.keeper.own_server import Look
from stillup.keeper.seen import Phase, Position, Report
from stillup.keeper.settings import Settings
from stillup.keeper.standing import STATUS
from stillup.keeper.steps import Await, Declare, Found, Join, Step

CLUSTER = "1bdf2bd6-e6ea-11f1-8208-538b93b86b84"
MEMBER = {
    "wsrep_cluster_status": "Primary",
    "wsrep_ready": "ON",
    "wsrep_local_state": "4",
    "wsrep_local_state_uuid": CLUSTER,
    "wsrep_last_committed": "7",
    "wsrep_incoming_addresses": "127.0.0.1:3306",
    "wsrep_cluster_size": "1",
    "wsrep_local_recv_queue": "0",
}
STOPPED = Look(Report(Phase.STOPPED, Position(CLUSTER, 7)))


class Answering:
    """A MariaDB that is a member and the writer."""

    answers = True

    def __init__(self, *, within_s: float) -> None:
        self.within_s = within_s

    def ask(self, statement: str) -> Result:
        if not Answering.answers:
            raise NoAnswer("it does not run")
        if statement == STATUS:
            return Result(tuple(MEMBER.items()))
        return Result((("data1", None),) if "history" not in statement else ())


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done to MariaDB and its data folder, in order."""
    acts: list[str] = []
    monkeypatch.setattr(Answering, "answers", True)
    monkeypatch.setattr(own_server, "MariaDB", Answering)
    monkeypatch.setattr(own_server, "has_room", lambda *, had: had)
    monkeypatch.setattr(systemd, "start", lambda _: acts.append("start"))
    monkeypatch.setattr(systemd, "state", lambda: "inactive")
    monkeypatch.setattr(data_folder, "saved_view", lambda: ("3 aa38ee4f 9", 1))
    for name in ("forget_view", "distrust", "allow_founding", "identity"):
        monkeypatch.setattr(data_folder, name, lambda *_, name=name: acts.append(name))
    return acts


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(tmp_path)


@pytest.fixture
def keeper(settings: Settings, marks: Marks, done: list[str]) -> Keeper:
    return Keeper(settings, b"key", marks, 0.0)


def block(marks: Marks, *names: str) -> None:
    """Have these marks refused, as a full disk does."""
    for name in names:
        (marks.folder / f"database-{name}.new").mkdir()


def broken_disk(_: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def rounds(keeper: Keeper, count: int) -> None:
    for _ in range(count):
        keeper._round(time.monotonic())


def test_a_view_that_cannot_be_written_costs_nothing_else_and_is_told_once(
    keeper: Keeper, marks: Marks, capsys: pytest.CaptureFixture[str]
) -> None:
    block(marks, "settled")
    rounds(keeper, 4)
    assert keeper.health() == (200, "the writer")
    assert keeper._words().reason == ""
    assert capsys.readouterr().err.count("the group's view is not remembered") == 1
    (marks.folder / "database-settled.new").rmdir()
    rounds(keeper, 2)
    assert marks.read("settled") == "3 aa38ee4f 9"
    assert capsys.readouterr().err == "the group's view is remembered again\n"


def test_a_round_that_cannot_write_its_mark_says_so_and_the_next_one_tries_again(
    keeper: Keeper, marks: Marks, capsys: pytest.CaptureFixture[str]
) -> None:
    block(marks, "member")
    rounds(keeper, 3)
    assert keeper.health()[0] == 503
    assert "files cannot be read or written" in keeper._words().reason
    assert capsys.readouterr().err.count("\n") == 1
    (marks.folder / "database-member.new").rmdir()
    rounds(keeper, 1)
    assert keeper.health() == (200, "the writer")


def test_a_data_folder_that_cannot_be_read_does_not_end_the_keeper(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answering, "answers", False)
    monkeypatch.setattr(data_folder, "look", broken_disk)
    rounds(keeper, 2)
    assert "files cannot be read or written" in keeper._words().reason


@pytest.mark.parametrize(
    "step",
    [
        Join("the others are primary"),
        Join("the others are primary", afresh=True),
        Await(),
        Declare(),
        Found(running=False, new_history=True),
        Found(running=True, new_history=True),
    ],
)
def test_a_step_ends_before_its_action_when_its_mark_cannot_be_written(
    keeper: Keeper, marks: Marks, done: list[str], step: Step
) -> None:
    block(marks, "joining", "founding", "force")
    keeper._look = STOPPED
    with pytest.raises(IsADirectoryError):
        keeper._carry_out(step, STOPPED, 0.0)
    assert done == []
    assert keeper._look == STOPPED
    assert keeper._declared_s is None
    assert not marks.has("founding")


def test_a_declaration_written_by_halves_counts_from_when_it_was_seen(
    keeper: Keeper, marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answering, "answers", False)
    with monkeypatch.context() as broken:
        broken.setattr(data_folder, "_sync", broken_disk)
        with pytest.raises(OSError, match="Input/output"):
            keeper._carry_out(Declare(), STOPPED, 0.0)
    assert marks.has("founding")
    before_s = time.monotonic()
    rounds(keeper, 1)
    assert keeper._look.report.founding
    assert keeper._declared_s is not None
    assert keeper._declared_s >= before_s


def test_a_declaration_taken_back_by_halves_does_not_count_for_the_next_one(
    keeper: Keeper, marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answering, "answers", False)
    keeper._carry_out(Declare(), STOPPED, 0.0)
    # It is gone, and the word that it is gone on the disk too never came.
    (marks.folder / "database-founding").unlink()
    monkeypatch.setattr(data_folder, "look", broken_disk)
    rounds(keeper, 1)
    assert keeper._declared_s is None


def test_a_writer_without_room_says_so_and_goes_on_until_another_one_is_named(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(own_server, "has_room", lambda *, had: had and False)
    rounds(keeper, 2)
    assert keeper._words().room is False
    assert keeper.health() == (200, "the writer")
    assert capsys.readouterr().err.count("has no room") == 1
    monkeypatch.setattr(own_server, "has_room", lambda *, had: had or True)
    rounds(keeper, 2)
    assert keeper._words().room is True
    assert capsys.readouterr().err == "the disk of the data has room again\n"
