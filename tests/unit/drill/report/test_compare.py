from dataclasses import replace

from tests.unit.drill.report.runs import drill, power_off, run

from stillup.drill.report.compare import Change, Way, changes
from stillup.drill.verdict import Word


def test_what_one_run_is_from_the_next_is_no_difference() -> None:
    earlier = run(drill(power_off("lb1"), 0.30), drill(power_off("web1"), 2.0))
    later = run(drill(power_off("lb1"), 0.38), drill(power_off("web1"), 2.02))
    assert changes(earlier, later) == ()


def test_what_is_worse_stands_before_what_is_better_and_what_was_played_once() -> None:
    earlier = run(
        drill(power_off("lb1"), 0.1),
        drill(power_off("web1"), 0.1),
        drill(power_off("data1"), 0.1),
        drill(power_off("lb2"), 0.1),
    )
    later = run(
        drill(power_off("web2"), 0.1),
        drill(power_off("data1"), 0.1, Word.BROKEN, lost=1),
        drill(power_off("lb1"), 0.3),
    )
    assert [str(change.way) + " " + change.name for change in changes(earlier, later)] == [
        "worse power-off data1",
        "worse power-off data1",
        "worse power-off lb1",
        "new power-off web2",
        "gone power-off web1",
        "gone power-off lb2",
    ]
    assert Change("power-off data1", Way.WORSE, "lost writes 0 -> 1") in changes(earlier, later)
    assert Change("power-off data1", Way.BETTER, "lost writes 1 -> 0") in changes(later, earlier)


def test_another_machine_or_load_is_told_first() -> None:
    earlier = run(drill(power_off("lb1"), 0.1))
    later = replace(earlier, machine="64 processors", rates={"new": 1.0})
    assert [change.name for change in changes(earlier, later)] == ["machine", "requests a second"]
