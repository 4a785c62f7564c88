"""How bench.failover makes figures of what the client and the wire noted."""

import pytest
from bench.failover.measure import Outage, both_s, moves, outage
from bench.failover.verdicts import verdicts
from tests.wire import Sighting

FOREVER = float("inf")


def heard(*spoken: tuple[float, str]) -> list[Sighting]:
    return [Sighting(at_s, "reply", name, name) for at_s, name in sorted(spoken)]


def every(from_s: float, to_s: float, name: str) -> list[tuple[float, str]]:
    return [(from_s + 0.01 * n, name) for n in range(round((to_s - from_s) / 0.01) + 1)]


def test_the_longest_gap_is_the_outage() -> None:
    assert outage([[1.0, 1.4], [2.0, 2.1]], [], 0.9, 3.0).lasted_s == pytest.approx(0.4)


def test_what_has_not_ended_is_counted_to_the_end_of_the_watching() -> None:
    assert outage([[1.0, FOREVER]], [], 1.0, 16.0) == Outage(15.0, ended=False)


def test_a_client_that_slept_at_the_end_of_a_gap_lengthened_it() -> None:
    assert outage([[1.0, 1.4]], [[1.4, 0.1]], 0.9, 3.0).lasted_s == pytest.approx(0.3)


def test_a_client_that_slept_in_the_midst_of_a_gap_did_not() -> None:
    assert outage([[1.0, 1.4]], [[1.2, 0.1]], 0.9, 3.0).lasted_s == pytest.approx(0.4)


def test_two_that_answer_at_once_are_counted_for_as_long_as_they_do() -> None:
    spoken = heard(*every(0.0, 2.0, "lb1"), *every(1.005, 3.0, "lb2"))

    assert both_s(spoken, 0.0, 3.0) == pytest.approx(0.995, abs=0.02)


def test_a_move_is_not_both() -> None:
    spoken = heard(*every(0.0, 1.0, "lb1"), *every(1.005, 3.0, "lb2"))

    assert both_s(spoken, 0.0, 3.0) == 0
    assert moves(spoken, 0.0, 3.0) == 1


def test_what_was_not_measured_is_no_promise_kept() -> None:
    assert {verdict.kept for verdict in verdicts([])} == {None}
