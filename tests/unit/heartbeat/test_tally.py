"""Counting answers: each attempt by itself, each voter once."""

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.tally import Tally

FARM = Electorate(("a", "b", "c", "d", "e"), ("a", "b"), 0.5)
BALLOT = Ballot(1, 11, "a")


def tally() -> Tally:
    return Tally(BALLOT, FARM)


def test_a_vote_counts_for_its_own_attempt_only() -> None:
    counted = tally()
    first, second = counted.begin_attempt(1.0), counted.begin_attempt(1.1)
    assert counted.vote(first, "a") is None
    assert counted.vote(first, "c") is None
    assert counted.vote(second, "d") is None
    confirmed = counted.vote(first, "d")
    assert confirmed is not None
    assert confirmed.start_s == 1.0


def test_a_vote_counts_once() -> None:
    counted = tally()
    attempt = counted.begin_attempt(1.0)
    assert [counted.vote(attempt, voter) for voter in "aacc"] == [None] * 4


def test_a_vote_for_an_attempt_that_was_dropped_or_never_made_counts_for_nothing() -> None:
    counted = tally()
    first = counted.begin_attempt(1.0)
    second = counted.begin_attempt(1.1)
    counted.drop_before(second)
    assert [counted.vote(first, voter) for voter in "abcde"] == [None] * 5
    assert counted.vote(99, "a") is None


def test_it_knows_when_the_others_are_not_enough() -> None:
    assert not tally().hopeless_without(["c", "d"])
    assert not tally().hopeless_without(["c", "d", "e"])
    assert tally().hopeless_without(["b", "c", "d"])
    assert tally().hopeless_without(["a"])


def test_it_knows_when_enough_votes_will_be_free() -> None:
    counted = tally()
    counted.promised.update("a")
    counted.free_at_s = {"c": 3.0, "d": 2.0, "e": 9.0}
    assert counted.free_s() == 3.0


def test_it_does_not_know_when_votes_will_be_free_that_said_nothing() -> None:
    counted = tally()
    counted.promised.update("a")
    counted.free_at_s = {"c": 3.0}
    assert counted.free_s() is None
