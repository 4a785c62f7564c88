from stillup.drill.history import Deed, Heard, History, Kind, Look, Mark, Moment, Outcome
from stillup.drill.report.run import Asked, Holding, Standing, Timeline
from stillup.drill.report.timeline import timeline
from stillup.drill.verdict import Span


def page(due_s: float, ended_s: float, outcome: Outcome = Outcome.DONE) -> Deed:
    return Deed(Kind.NEW, 0, due_s, due_s, ended_s, outcome)


def test_a_stall_is_a_gap_in_what_was_done_and_stands_in_what_was_asked_meanwhile() -> None:
    history = History(
        began="2026-01-02T03:04:05Z",
        lasted_s=0.5,
        deeds=(
            page(0.0, 0.01),
            page(0.05, 0.08),
            page(0.1, 0.31),
            page(0.3, 0.9, Outcome.TIMED_OUT),
            page(0.35, 0.45),
        ),
        moments=(Moment(0.1, Mark.FAULT),),
        deaf_s=((0.2, 0.25),),
    )
    assert timeline(history) == Timeline(
        bin_s=0.1,
        groups={
            "pages": Asked(
                due=(2, 1, 0, 2, 0),
                done=(2, 0, 0, 1, 1),
                failed={"timed out": (0, 0, 0, 1, 0)},
                median_s=(0.01, 0.31 - 0.1, None, 0.45 - 0.35, None),
                slowest_s=(0.08 - 0.05, 0.31 - 0.1, None, 0.45 - 0.35, None),
            )
        },
        heard=None,
        said=(),
        standings=(),
        moments=(Moment(0.1, Mark.FAULT),),
        deaf=(Span(0.2, 0.25),),
    )


def test_what_ends_after_the_end_counts_in_the_last_bin() -> None:
    history = History("", 0.2, (page(0.1, 0.7),), ())
    assert timeline(history).groups["pages"].done == (0, 1)


def test_a_drill_of_many_minutes_has_longer_bins() -> None:
    told = timeline(History("", 700.0, (page(0.1, 0.2), page(699.9, 700.1)), ()))
    assert (told.bin_s, len(told.groups["pages"].done)) == (0.5, 1400)


def test_answers_on_the_wire_are_joined_until_a_silence_or_another_server() -> None:
    answers = [(0.0, "aa"), (0.1, "aa"), (0.2, "bb"), (0.3, "bb"), (0.9, "aa"), (1.0, "cc")]
    history = History(
        "",
        1.0,
        (),
        (),
        heard=tuple(Heard(at_s, "10.0.0.1", hardware) for at_s, hardware in answers),
        names=(("aa", "lb1"), ("bb", "lb2")),
    )
    assert timeline(history).heard == (
        Holding("10.0.0.1", "lb1", 0.0, 0.1),
        Holding("10.0.0.1", "lb1", 0.9, 0.9),
        Holding("10.0.0.1", "lb2", 0.2, 0.3),
        Holding("10.0.0.1", "cc", 1.0, 1.0),
    )


def test_what_the_looks_say_is_told_when_it_changes() -> None:
    def look(at_s: float, level: str, holder: str) -> Look:
        return Look(at_s, level, level == "serving", f"is {level}", (("10.0.0.1", holder),))

    told = timeline(
        History(
            "",
            6.0,
            (),
            (),
            looks=(
                look(0, "serving", "lb1"),
                look(1, "serving", "lb1"),
                look(2, "down", ""),
                look(3, "at risk", "lb2"),
                look(4, "at risk", "lb2"),
                look(5, "serving", "lb1"),
            ),
        )
    )
    assert told.said == (
        Holding("10.0.0.1", "lb1", 0, 2),
        Holding("10.0.0.1", "lb2", 3, 5),
        Holding("10.0.0.1", "lb1", 5, 6.0),
    )
    assert told.standings == (
        Standing(0, "serving", whole=True, why="is serving"),
        Standing(2, "down", whole=False, why="is down"),
        Standing(3, "at risk", whole=False, why="is at risk"),
        Standing(5, "serving", whole=True, why="is serving"),
    )
