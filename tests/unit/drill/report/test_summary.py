from tests.unit.drill.report.runs import drill, power_off, run

from stillup.drill.fault import Action, Fault
from stillup.drill.report.summary import Promise, headline, promises, seconds
from stillup.drill.verdict import Word

LB1 = drill(power_off("lb1"), 0.4)
DATA = drill(power_off("data1"), 1.4, Word.BROKEN, lost=2)
HANG = drill(Fault(Action.HANG, ("web1",)), 0.1, Word.UNKNOWN)
WEBS = drill(power_off("web1", "web2"), 7.9, held=False)


def test_a_run_is_as_good_as_its_worst_drill() -> None:
    runs = [run(LB1), run(LB1, WEBS), run(LB1, HANG), run(HANG, DATA), run(), run(LB1, stopped="x")]
    assert [(one.word.value, headline(one)) for one in runs] == [
        ("kept", "Every promise was kept in 1 drill"),
        (
            "kept",
            "Every promise was kept in 2 drills, 1 of them more than the farm promises to endure",
        ),
        ("unknown", "1 of 2 drills could not tell; no promise was seen broken"),
        ("broken", "1 of 2 drills broke a promise, and 1 could not tell"),
        ("unknown", "Nothing was played"),
        ("unknown", "Every promise was kept in 1 drill; the run ended early: x"),
    ]


def test_the_worst_of_a_promise_is_of_the_drills_that_were_held_to_it() -> None:
    told = promises(run(LB1, DATA, WEBS))
    outage, writes, *_ = told
    assert [promise.promise for promise in told] == [
        "outage",
        "lost-writes",
        "never-both",
        "whole-again",
    ]
    assert (outage.word, outage.worst, outage.counts) == (
        Word.BROKEN,
        "power-off data1: no page for 1.40 s (1.00 s promised)",
        ((Word.BROKEN, 1), (Word.KEPT, 1)),
    )
    assert writes == Promise(
        promise="lost-writes",
        title="No acknowledged write is lost",
        word=Word.BROKEN,
        worst="power-off data1: 2 acknowledged rows lost",
        counts=((Word.BROKEN, 1), (Word.KEPT, 2)),
    )


def test_what_was_kept_is_told_with_its_worst_figure() -> None:
    told = promises(run(LB1, drill(power_off("web1"), 0.6), WEBS))
    assert [promise.worst for promise in told] == [
        "600 ms (power-off web1)",
        "0 of 493 lost",
        "never two on the wire",
        "after at most 3.2 s (power-off web1 + web2)",
    ]


def test_times_are_told_with_what_can_be_measured() -> None:
    assert [seconds(s) for s in (0, 0.0042, 0.9996, 1.2345, 12.34, 123.4)] == [
        "0 ms",
        "4 ms",
        "1 s",
        "1.23 s",
        "12.3 s",
        "123 s",
    ]
