"""The checker on writes: what is lost, what is doubtful, and what the copies say."""

from dataclasses import replace

from tests.unit.drill.checker.histories import (
    copies_without,
    failing,
    with_deeds,
)
from tests.unit.drill.checker.judging import (
    LB1_OFF,
    WELL,
    not_kept,
    verdict,
)
from tests.unit.drill.farms import FARM

from stillup.drill.checker.judge import judge
from stillup.drill.history import Kind, Mark, Outcome
from stillup.drill.verdict import Word


def test_lost_writes_are_told_by_keeper_and_number() -> None:
    history = copies_without(WELL, "data2", Kind.ROW, *range(500, 510))
    history = copies_without(history, "data1", Kind.FILE, 3)
    found = verdict(history)
    assert found.figures.lost == {"row at data2": tuple(range(500, 510)), "file at data1": (3,)}
    assert not_kept(history)["lost-writes"] == (
        "broken",
        "10 acknowledged rows lost at data2 (500, 501, 502, 503, 504, 505, 506, 507, ...) and "
        "1 acknowledged files lost at data1 (3) (0 promised)",
    )
    assert not_kept(history)["same-copies"] == (
        "broken",
        "of rows that not all keepers have data1 has 10 and data2 has 0; "
        "of files that not all keepers have data1 has 0 and data2 has 1",
    )


def test_what_nobody_has_is_lost_though_all_agree() -> None:
    history = copies_without(WELL, "data1", Kind.ROW, 9)
    history = copies_without(history, "data2", Kind.ROW, 9)
    assert set(not_kept(history)) == {"lost-writes"}


def test_a_promise_of_some_lost_writes_allows_so_many() -> None:
    history = copies_without(copies_without(WELL, "data1", Kind.ROW, 9), "data2", Kind.ROW, 9)
    some = replace(FARM.promises, lost_writes=1)
    assert judge(LB1_OFF, history, some, FARM).word is Word.KEPT


def test_a_copy_that_is_not_whole_yet_is_no_proof_of_a_loss() -> None:
    history = copies_without(WELL, "data2", Kind.ROW, 9)
    moments = tuple(one for one in history.moments if one.mark is not Mark.WHOLE)
    found = not_kept(replace(history, moments=moments))
    assert found["lost-writes"] == (
        "unknown",
        "data2 lacks 1 acknowledged rows and was not whole again",
    )
    assert found["same-copies"][0] == "unknown"
    assert found["whole-again"] == ("broken", "not whole again in time: all of them work")


def test_a_keeper_that_did_not_say_what_it_has_makes_it_unknown() -> None:
    copies = tuple(c for c in WELL.copies if (c.server, c.kind) != ("data2", Kind.FILE))
    assert not_kept(replace(WELL, copies=copies)) == {
        "lost-writes": ("unknown", "data2 (files) did not say what it has")
    }


def test_a_doubtful_write_may_be_there_and_one_that_failed_may_not() -> None:
    doubtful = replace(
        with_deeds(WELL, failing(5.0, 5.05, Outcome.TIMED_OUT, Kind.ROW)), copies=WELL.copies
    )
    assert not_kept(doubtful) == {}
    assert verdict(doubtful).figures.doubtful == {"row": 5, "file": 0}
    false = replace(
        with_deeds(WELL, failing(5.0, 5.05, Outcome.NOT_DONE, Kind.ROW)), copies=WELL.copies
    )
    assert not_kept(false) == {
        "wrong-content": (
            "broken",
            "5 rows are there that were said not to be written (501, 502, 503, 504, 505)",
        )
    }


def test_what_earlier_drills_wrote_is_passed_over() -> None:
    copies = tuple(replace(c, numbers=c.numbers | {999_999}) for c in WELL.copies[:1])
    assert not_kept(replace(WELL, copies=(*copies, *WELL.copies[1:]))) == {}
