from dataclasses import replace

from rich.console import Console
from tests.unit.drill.report.runs import drill, power_off, run

from stillup.drill.fault import Action, Fault
from stillup.drill.report.compare import changes
from stillup.drill.report.terminal import Screen, page
from stillup.drill.verdict import Word

DATA = drill(power_off("data1"), 1.4, Word.BROKEN, lost=2)


def test_each_drill_is_a_line_when_it_is_over_and_what_broke_stands_below() -> None:
    wide = Console(width=100, force_terminal=False)
    with wide.capture() as told:
        screen = Screen(wide, 2, lambda: 0.0, alive=False)
        screen.begins("power-off data1")
        screen.phase("steady")
        screen.ended(DATA)
    assert told.get().splitlines() == [
        "broken  power-off data1                          outage 1.4 s, 25 failed, 2 lost, whole after 3.2 s",
        "        outage: no page for 1.40 s (1.00 s promised)",
        "        lost-writes: 2 acknowledged rows lost",
    ]


def test_the_line_that_is_drawn_over_says_how_far_it_is_and_how_long_it_will_take() -> None:
    now_s = [0.0]
    wide = Console(width=120, force_terminal=True, legacy_windows=False)
    with wide.capture() as told, Screen(wide, 3, lambda: now_s[0], alive=True) as screen:
        screen.begins("control")
        now_s[0] = 30.0
        screen.ended(drill(Fault(Action.NONE), 0.0))
        screen.begins("power-off lb1")
        now_s[0] = 40.0
        screen.phase("until the farm is whole")
    assert "[2 of 3]" in told.get()
    assert "power-off lb1: until the farm is whole" in told.get()
    assert "0:40 gone, about 0:50 left" in told.get()


def test_at_the_end_the_verdict_is_first_and_an_earlier_run_is_beside_it() -> None:
    earlier = run(drill(power_off("data1"), 0.2))
    now = replace(run(DATA, drill(power_off("lb1"), 0.4)))
    wide = Console(width=120, force_terminal=False)
    with wide.capture() as told:
        wide.print(page(now, changes(earlier, now), earlier))
    lines = [line.rstrip() for line in told.get().splitlines()]
    assert lines[0] == " BROKEN   six: 1 of 2 drills broke a promise"
    assert "  worse   power-off data1: lost writes 0 -> 2" in lines
    assert "  slow-disk at any server: this kernel has no io.max for its disk" in lines
