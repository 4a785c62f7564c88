"""The checker on histories made by hand: each class of flaw is named, and nothing else is."""

from dataclasses import replace
from time import process_time

import pytest
from tests.unit.drill.checker.histories import (
    BEGUN_S,
    FAULT_S,
    LASTED_S,
    LB1,
    LB2,
    UNDONE_S,
    WEB1,
    copies_without,
    failing,
    stalled,
    tenure,
    well,
    with_deeds,
)
from tests.unit.drill.checker.judging import (
    BOTH_OFF,
    DATA1_OFF,
    EVERYTHING,
    FAILOVER,
    LB1_OFF,
    PAGES,
    WEB1_OFF,
    WELL,
    not_kept,
    verdict,
)

from stillup.drill.catalogue import CONTROL
from stillup.drill.fault import Fault
from stillup.drill.history import Deed, History, Kind, Look, Mark, Outcome
from stillup.drill.verdict import Span, Word


@pytest.mark.parametrize("fault", [LB1_OFF, WEB1_OFF, DATA1_OFF, BOTH_OFF, FAILOVER, CONTROL])
def test_where_nobody_felt_anything_every_promise_is_kept(fault: Fault) -> None:
    found = verdict(WELL, fault)
    assert [(r.promise, r.text) for r in found.rulings if r.word is not Word.KEPT] == []
    assert found.word is Word.KEPT


def test_the_rulings_of_a_kept_drill_say_the_figures() -> None:
    told = {ruling.promise: ruling.text for ruling in verdict(WELL).rulings}
    assert told == {
        "control": "2120 requests without a fault, none failed",
        "outage": "without a page for 4 ms at most (1.00 s promised)",
        "settled": "0.0% of 1060 requests failed or took more than 333 ms from 6 s after the fault "
        "had begun until it was undone (5% may)",
        "lost-writes": "1800 rows and 180 files acknowledged; 0 lost (0 promised)",
        "same-copies": "data1 and data2 have the same",
        "wrong-content": "every answer was the one that was asked for",
        "sessions": "every session went on",
        "sticky": "before the fault began every visitor stayed at his web server",
        "never-both": "901 answers, never of two at once",
        "whole-again": "whole 3.9 s after the fault was undone",
    }


@pytest.mark.parametrize("kind", PAGES)
def test_an_outage_beyond_the_promise_is_told_with_its_time_also_of_one_kind_alone(
    kind: Kind,
) -> None:
    found = verdict(with_deeds(WELL, stalled(4.5, 5.9, kind)))
    assert found.word is Word.BROKEN
    span = found.figures.outage
    assert [span.from_s, span.to_s] == pytest.approx([4.5, 5.904])
    (told,) = [r.text for r in found.rulings if r.word is Word.BROKEN]
    what = "new" if kind is Kind.NEW else "open"
    assert told == f"no pages on {what} connections for 1.40 s (1.00 s promised), from 4.50 s on"


def test_an_outage_within_the_promise_is_kept_and_told() -> None:
    history = with_deeds(WELL, stalled(4.5, 5.2, *EVERYTHING))
    assert not_kept(history) == {}
    assert verdict(history).figures.outage.s == pytest.approx(0.704)


def test_a_request_that_hangs_while_others_are_answered_is_no_outage() -> None:
    def hung(deed: Deed) -> Deed:
        hangs = deed.kind in {Kind.ROW, Kind.FILE} and deed.number % 2 and 4.2 <= deed.due_s < 12.0
        return replace(deed, ended_s=12.2) if hangs else deed

    figures = verdict(with_deeds(WELL, hung)).figures
    assert figures.kinds["file"].outage.s == pytest.approx(0.104)
    assert figures.kinds["row"].outages == ()


def test_rows_and_sessions_may_wait_longer_where_the_database_loses_a_server() -> None:
    history = with_deeds(WELL, stalled(4.5, 7.6, Kind.ROW, Kind.SESSION))
    assert not_kept(history, DATA1_OFF) == {}
    assert "no rows for 3.10 s" in not_kept(history, LB1_OFF)["outage"][1]
    longer = with_deeds(WELL, stalled(4.5, 8.6, Kind.ROW))
    assert not_kept(longer, DATA1_OFF)["outage"] == (
        "broken",
        "no rows for 4.10 s (4.00 s when the database loses a server), from 4.50 s on",
    )


def test_files_may_wait_longer_where_the_storage_loses_a_server_or_who_uses_it() -> None:
    history = with_deeds(WELL, stalled(4.5, 9.9, Kind.FILE))
    assert not_kept(history, DATA1_OFF) == {}
    assert not_kept(history, WEB1_OFF) == {}
    assert set(not_kept(history, LB1_OFF)) == {"outage"}


def test_an_outage_that_goes_on_until_the_end_counts_until_the_last_request_was_due() -> None:
    history = with_deeds(WELL, failing(16.2, LASTED_S, Outcome.TIMED_OUT, *EVERYTHING))
    assert verdict(history).figures.outage.to_s == pytest.approx(LASTED_S - 1 / 200)
    assert not_kept(history)["outage"][0] == "broken"


def test_a_fault_that_need_not_be_survived_may_cost_everything_but_writes() -> None:
    dark = with_deeds(WELL, failing(FAULT_S, UNDONE_S, Outcome.SERVER_ERROR, *EVERYTHING))
    assert not_kept(dark, BOTH_OFF) == {}
    told = {r.promise: r.text for r in verdict(dark, BOTH_OFF).rulings}
    assert told["outage"].startswith("need not hold, as the database has no majority")
    assert not_kept(copies_without(dark, "data1", Kind.ROW, 7), BOTH_OFF)["lost-writes"] == (
        "broken",
        "1 acknowledged rows lost at data1 (7) (0 promised)",
    )


def test_half_of_the_users_left_alone_is_no_outage_and_is_named() -> None:
    """Checks off: a balancer goes on asking a dead web server, and retries after its time."""

    def slow(deed: Deed) -> Deed:
        waits = FAULT_S <= deed.due_s < UNDONE_S and deed.number % 2
        return replace(deed, ended_s=deed.ended_s + 0.5) if waits else deed

    found = not_kept(with_deeds(WELL, slow), WEB1_OFF)
    assert found == {
        "settled": (
            "broken",
            "50.0% of 1060 requests failed or took more than 333 ms from 6 s after the fault had "
            "begun until it was undone (5% may)",
        )
    }


def test_pages_that_were_not_asked_again_are_named() -> None:
    """Retries off: what was on its way to a dead web server fails."""
    history = with_deeds(WELL, failing(FAULT_S, 4.2, Outcome.SERVER_ERROR, *PAGES, every=2))
    assert not_kept(history, WEB1_OFF) == {
        "retried": ("broken", "40 of 5600 pages failed (40 server error); a balancer asks again")
    }
    assert not_kept(history, LB1_OFF) == {}
    cut_short = with_deeds(WELL, failing(FAULT_S, 4.2, Outcome.CUT_SHORT, *PAGES, every=2))
    assert not_kept(cut_short, WEB1_OFF) == {}


def test_a_planned_change_may_fail_nobody() -> None:
    history = with_deeds(WELL, failing(5.0, 5.005, Outcome.RESET, Kind.KEPT))
    assert not_kept(history, FAILOVER) == {
        "planned-failures": ("broken", "1 of 7420 requests failed (1 reset) (0 promised)")
    }
    waiting = with_deeds(WELL, stalled(5.0, 5.2, *PAGES))
    assert "in a planned change" in not_kept(waiting, FAILOVER)["outage"][1]


@pytest.mark.parametrize(
    ("outcome", "promise"),
    [(Outcome.WRONG, "wrong-content"), (Outcome.TIMED_OUT, "control"), (Outcome.RESET, "control")],
)
def test_a_control_must_be_clean(outcome: Outcome, promise: str) -> None:
    history = with_deeds(WELL, failing(9.0, 9.005, outcome, Kind.NEW))
    assert not_kept(history, CONTROL)[promise][0] == "broken"
    assert verdict(history, CONTROL).word is Word.BROKEN


def test_a_control_must_not_halt() -> None:
    history = with_deeds(WELL, stalled(9.0, 9.5, Kind.NEW))
    assert not_kept(history, CONTROL) == {
        "control": (
            "broken",
            "no pages on new connections for 504 ms, from 9.00 s on (333 ms may be)",
        )
    }


def test_what_failed_before_the_fault_makes_it_unknown() -> None:
    history = with_deeds(WELL, failing(2.0, 2.02, Outcome.REFUSED, Kind.NEW))
    assert not_kept(history) == {
        "control": (
            "unknown",
            "before the fault began: 4 of 2120 requests failed (4 refused)",
        )
    }


def test_wrong_content_is_told_with_what_was_said() -> None:
    def other(deed: Deed) -> Deed:
        if deed.kind is Kind.NEW and deed.number == 1001:
            return replace(deed, outcome=Outcome.WRONG, told="page 7 of TOKEN")
        return deed

    assert not_kept(with_deeds(WELL, other))["wrong-content"] == (
        "broken",
        "1 answers were wrong, the first at 5.00 s: page 7 of TOKEN",
    )


def test_a_session_that_begins_anew_is_counted_once_each_time() -> None:
    def anew(deed: Deed) -> Deed:
        if deed.kind is Kind.SESSION and deed.visitor == 2 and deed.number > 40:
            return replace(deed, number=deed.number - 40)
        return deed

    history = with_deeds(WELL, anew)
    assert verdict(history).figures.sessions_lost == 1
    assert not_kept(history) == {"sessions": ("broken", "1 times a session began anew")}


def test_a_session_may_skip_a_count_whose_answer_was_lost() -> None:
    history = with_deeds(WELL, failing(5.0, 5.3, Outcome.RESET, Kind.SESSION))
    assert verdict(history).figures.sessions_lost == 0


def test_visitors_who_stray_are_named_unless_a_fault_sent_them_away() -> None:
    def elsewhere(deed: Deed) -> Deed:
        strays = deed.kind is Kind.SESSION and deed.visitor == 0 and 2.0 <= deed.due_s < 3.0
        return replace(deed, web="web2") if strays else deed

    told = "2 times before the fault began a visitor's next page came from another web server"
    assert not_kept(with_deeds(WELL, elsewhere)) == {"sticky": ("broken", told)}

    def sent_away(deed: Deed) -> Deed:
        return replace(deed, web="web2") if deed.due_s >= BEGUN_S else deed

    assert not_kept(with_deeds(WELL, sent_away), WEB1_OFF) == {}
    assert set(not_kept(with_deeds(WELL, sent_away), CONTROL)) == {"sticky"}


def test_two_holders_are_heard_however_they_take_turns() -> None:
    beside = (*WELL.heard, *tenure(WEB1, 6.01, 6.51))  # type: ignore[misc] # not None here
    found = verdict(replace(WELL, heard=tuple(sorted(beside, key=lambda one: one.at_s))))
    assert found.figures.both_s == pytest.approx(0.5)
    assert [r.text for r in found.rulings if r.word is Word.BROKEN] == [
        "two servers answered for one address for 500 ms, from 6.01 s on"
    ]


def test_a_move_is_no_second_holder_and_neither_is_the_way_back() -> None:
    heard = (*tenure(LB1, 0, 4.1), *tenure(LB2, 4.11, 8.0), *tenure(LB1, 8.001, 18.0))
    found = verdict(replace(WELL, heard=heard), FAILOVER)
    assert (found.word, found.figures.both_s) == (Word.KEPT, 0.0)


def test_one_answer_of_another_in_the_middle_is_two_holders() -> None:
    heard = (*tenure(LB1, 0, 6.0), *tenure(LB2, 6.01, 6.01), *tenure(LB1, 6.02, 18.0))
    assert verdict(replace(WELL, heard=heard)).figures.both_s == pytest.approx(0.02)


def test_without_ears_nothing_is_known_of_two_holders() -> None:
    told = not_kept(replace(WELL, heard=None, notes=("needs CAP_NET_RAW",)))
    assert told == {
        "never-both": ("unknown", "nobody could listen on the wire (needs CAP_NET_RAW)")
    }
    assert not_kept(replace(WELL, deaf_s=((5.0, 5.4),))) == {
        "never-both": ("unknown", "the listener missed 400 ms")
    }
    assert not_kept(replace(WELL, heard=()))["never-both"] == (
        "unknown",
        "the listener heard nobody",
    )


def test_a_workload_that_was_late_itself_makes_what_it_timed_unknown_and_not_what_it_counted() -> (
    None
):
    def late(deed: Deed) -> Deed:
        waits = deed.kind in PAGES and 4.5 <= deed.due_s < 6.0
        return replace(deed, sent_s=6.0, ended_s=6.004) if waits else deed

    history = copies_without(with_deeds(WELL, late), "data1", Kind.ROW, 3)
    found = not_kept(history)
    assert found["outage"] == (
        "unknown",
        "the workload was itself late: by 1265 ms in 1 of 100 requests and by 1500 ms at most "
        "(50 and 333 ms may be)",
    )
    assert found["lost-writes"][0] == "broken"
    assert not_kept(with_deeds(WELL, late), CONTROL)["control"][0] == "unknown"


def test_a_fault_that_did_not_come_about_shows_nothing() -> None:
    moments = tuple(m for m in WELL.moments if m.mark is Mark.FAULT)
    history = replace(WELL, moments=moments, notes=("lb1 refused: no nftables",))
    assert not_kept(history) == {
        "fault": ("unknown", "the fault did not come about: lb1 refused: no nftables")
    }


def test_a_farm_that_is_not_whole_again_is_told_with_what_is_missing() -> None:
    moments = tuple(m for m in WELL.moments if m.mark is not Mark.WHOLE)
    looks = (Look(15.0, "at risk", whole=False, why="lb1 does not answer"),)
    found = not_kept(replace(WELL, moments=moments, looks=looks))
    assert found == {"whole-again": ("broken", "not whole again in time: lb1 does not answer")}


def test_a_drill_without_writes_or_sessions_says_nothing_of_them() -> None:
    pages = tuple(deed for deed in WELL.deeds if deed.kind in PAGES)
    found = verdict(replace(WELL, deeds=pages, copies=()))
    assert not {"lost-writes", "sessions", "sticky"} & {r.promise for r in found.rulings}
    assert found.word is Word.KEPT


def test_an_empty_history_is_unknown_and_no_crash() -> None:
    found = verdict(History("2026-01-01T00:00:00Z", 0.0, (), ()))
    assert found.word is Word.UNKNOWN
    assert found.figures.outage == Span(0.0, 0.0)


def test_a_minute_of_600_a_second_is_judged_in_a_moment() -> None:
    minute = well(68.0)
    assert len(minute.deeds) > 36_000
    best_s = min(_timed(minute) for _ in range(3))
    assert best_s < 0.5


def _timed(history: History) -> float:
    began_s = process_time()
    assert verdict(history).word is Word.KEPT
    return process_time() - began_s
