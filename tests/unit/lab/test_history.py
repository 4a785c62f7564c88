"""What the writers' history must show: gaps, what is missing, a session that began anew."""

from tests.lab.history import (
    DONE,
    FILE,
    ROW,
    SESSION,
    UNKNOWN,
    Deed,
    History,
    missing,
    sessions_begun_anew,
)


def rows(*ended_s: float, outcome: str = DONE) -> list[Deed]:
    return [Deed(ROW, number, at_s, at_s, outcome) for number, at_s in enumerate(ended_s)]


def pages(*counts: int) -> History:
    return History(
        tuple(Deed(SESSION, count, float(at), at + 0.5, DONE) for at, count in enumerate(counts))
    )


def test_a_gap_is_between_two_acknowledged_writes_whatever_failed_between() -> None:
    history = History((*rows(1.0, 1.5, 4.0), *rows(2.0, 3.0, outcome=UNKNOWN)))
    assert history.gap(ROW) == (1.5, 4.0)
    assert history.done(ROW) == {0, 1, 2}


def test_writing_that_never_comes_back_is_a_gap_until_the_last_was_due() -> None:
    history = History((*rows(1.0), *rows(2.0, 9.0, outcome=UNKNOWN)))
    assert history.gap_s(ROW) == 8.0
    assert history.gap_s(FILE) == 0.0


def test_what_was_acknowledged_and_is_not_there_is_missing() -> None:
    assert missing({1, 2, 3}, {2, 4}) == (1, 3)
    assert missing((), {4}) == ()


def test_a_session_that_counts_on_is_the_same_and_one_that_counts_anew_is_not() -> None:
    assert sessions_begun_anew(pages(1, 2, 4, 5)) == ()
    assert sessions_begun_anew(pages(1, 2, 3, 1, 2)) == (1, 2)
