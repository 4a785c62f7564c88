"""When a candidate stands, and to whom it lets go."""

import pytest

from stillup.heartbeat.messages import Hello
from stillup.heartbeat.standing import Standing, Vacancy
from stillup.heartbeat.timing import Timing

TIMING = Timing(0.5)
NOW_S = 100.0


def standing(name: str = "lb1", preferred: str | None = None) -> Standing:
    made = Standing(name, ("lb1", "lb2", "lb3"), preferred, TIMING)
    made.healthy = True
    return made


def test_before_its_first_check_a_candidate_is_not_fit() -> None:
    assert not Standing("lb1", ("lb1",), None, TIMING).is_fit(NOW_S)


def test_candidates_stand_a_moment_apart_in_order_of_rank() -> None:
    vacancy = Vacancy(NOW_S)
    times = [standing(name).stand_s(vacancy, NOW_S) for name in ("lb1", "lb2", "lb3")]
    assert times == pytest.approx([NOW_S + 0.001, NOW_S + 0.011, NOW_S + 0.021])


def test_the_last_holder_ranks_last() -> None:
    vacancy = Vacancy(NOW_S, last="lb1")
    times = [standing(name).stand_s(vacancy, NOW_S) for name in ("lb2", "lb3", "lb1")]
    assert times == sorted(times)
    assert times[0] == pytest.approx(NOW_S + 0.001)


def test_the_heir_stands_at_once_and_the_others_later() -> None:
    vacancy = Vacancy(NOW_S, last="lb1", heir="lb3")
    assert standing("lb3").stand_s(vacancy, NOW_S) == NOW_S
    assert standing("lb2").stand_s(vacancy, NOW_S) == pytest.approx(NOW_S + 0.051)


def test_the_preferred_is_waited_for_in_the_first_election_if_it_is_there() -> None:
    made = standing("lb1", preferred="lb2")
    assert made.stand_s(Vacancy(NOW_S), NOW_S) == pytest.approx(NOW_S + 0.001)
    made.on_heard("lb2", NOW_S)
    assert made.stand_s(Vacancy(NOW_S), NOW_S) == pytest.approx(NOW_S + 0.501)
    assert made.stand_s(Vacancy(NOW_S, last="lb3"), NOW_S) == pytest.approx(NOW_S + 0.001)


def test_one_that_is_not_fit_waits_two_leases() -> None:
    made = standing()
    made.healthy = False
    assert made.stand_s(Vacancy(NOW_S), NOW_S) == NOW_S + 1.0


def test_one_that_yields_stands_when_the_yielding_ends_or_nobody_else_does() -> None:
    made = standing()
    made.yield_until_s = NOW_S + 0.3
    assert made.stand_s(Vacancy(NOW_S), NOW_S) == NOW_S + 0.3
    made.yield_until_s = NOW_S + 30
    assert made.stand_s(Vacancy(NOW_S), NOW_S) == NOW_S + 1.0


def test_the_heir_is_the_first_fit_one_or_the_one_asked_for() -> None:
    made = standing()
    assert made.heir(NOW_S) is None
    made.on_hello("lb2", Hello(fit=True), NOW_S)
    made.on_hello("lb3", Hello(fit=True), NOW_S)
    assert made.heir(NOW_S) == "lb2"
    made.yield_to = "lb3"
    assert made.heir(NOW_S) == "lb3"
    made.on_hello("lb3", Hello(fit=False), NOW_S)
    assert made.heir(NOW_S) == "lb2"


def test_one_that_was_not_heard_lately_is_no_heir() -> None:
    made = standing()
    made.on_hello("lb2", Hello(fit=True), NOW_S)
    assert made.heir(NOW_S + 0.6) == "lb2"
    assert made.heir(NOW_S + 0.7) is None
    made.on_heard("lb2", NOW_S + 0.7)
    assert made.heir(NOW_S + 0.7) == "lb2"


def test_one_that_did_not_take_it_is_doubted_until_it_says_something_new() -> None:
    made = standing()
    made.on_hello("lb2", Hello(fit=True), NOW_S)
    made.on_handed("lb2")
    made.on_held_by("lb1", NOW_S)
    assert made.heir(NOW_S) is None
    made.on_hello("lb2", Hello(fit=True), NOW_S + 0.1)
    assert made.heir(NOW_S + 0.1) is None
    made.on_hello("lb2", Hello(fit=False), NOW_S + 0.2)
    made.on_hello("lb2", Hello(fit=True), NOW_S + 0.3)
    assert made.heir(NOW_S + 0.3) == "lb2"


def test_doubt_ends_by_itself() -> None:
    made = standing()
    made.on_hello("lb2", Hello(fit=True), NOW_S)
    made.on_handed("lb2")
    made.on_held_by("lb1", NOW_S)
    made.on_hello("lb2", Hello(fit=True), NOW_S + 10)
    assert made.heir(NOW_S + 10) == "lb2"


def test_one_that_took_it_is_not_doubted() -> None:
    made = standing()
    made.on_hello("lb2", Hello(fit=True), NOW_S)
    made.on_handed("lb2")
    made.on_held_by("lb2", NOW_S)
    made.on_held_by("lb1", NOW_S + 0.1)
    assert made.heir(NOW_S + 0.1) == "lb2"


def test_servers_that_are_no_candidates_are_no_peers() -> None:
    made = standing()
    made.on_hello("web1", Hello(fit=True), NOW_S)
    assert made.heir(NOW_S) is None
