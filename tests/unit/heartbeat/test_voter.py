"""One voter: one vote, one owner at a time, for one lease, and silence after a start."""

import pytest

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.messages import Accepted, Prepare, Promised, Propose, Refusal, Refused
from stillup.heartbeat.voter import Given, Voter

A1, A2, A3 = (Ballot(number, 11, "a") for number in (1, 2, 3))
B1, B2, B3 = (Ballot(number, 22, "b") for number in (1, 2, 3))
LATER_A = Ballot(9, 12, "a")


@pytest.fixture
def voter() -> Voter:
    return Voter(lease_s=0.5, silent_until_s=10.0)


def test_it_is_silent_until_everything_it_may_have_forgotten_is_over(voter: Voter) -> None:
    assert voter.on_prepare(Prepare(A1), 9.75) == Refused(A1, 0, Refusal.SILENT, None, 0.25)
    assert voter.on_propose(Propose(A1, 1), 9.875) == Refused(A1, 1, Refusal.SILENT, None, 0.125)
    assert voter.on_prepare(Prepare(A1), 10.0) == Promised(A1)


def test_what_it_heard_while_silent_leaves_no_trace(voter: Voter) -> None:
    voter.on_propose(Propose(A3, 1), 9.9)
    assert voter.on_prepare(Prepare(B1), 10.0) == Promised(B1)


def test_a_promise_holds_older_ballots_off(voter: Voter) -> None:
    voter.on_prepare(Prepare(B2), 10.0)
    assert voter.on_prepare(Prepare(A1), 10.1) == Refused(A1, 0, Refusal.OUTBID, B2)
    assert voter.on_propose(Propose(A1, 1), 10.1) == Refused(A1, 1, Refusal.OUTBID, B2)


def test_a_promise_gives_nothing_away(voter: Voter) -> None:
    voter.on_prepare(Prepare(A1), 10.0)
    assert voter.given(10.0) is None
    assert voter.on_prepare(Prepare(B2), 10.0) == Promised(B2)


def test_a_vote_lasts_one_lease_from_when_it_was_heard(voter: Voter) -> None:
    assert voter.on_propose(Propose(A1, 1), 11.0) == Accepted(A1, 1)
    assert voter.given(11.499) == Given(A1, 11.5)
    assert voter.given(11.5) is None


def test_while_given_everybody_else_is_refused_whatever_the_ballot(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    held = Refused(B3, 0, Refusal.HELD, A1, 0.125, "a")
    assert voter.on_prepare(Prepare(B3), 11.375) == held
    assert voter.on_propose(Propose(B3, 1), 11.375) == Refused(B3, 1, Refusal.HELD, A1, 0.125, "a")


def test_a_refused_stranger_does_not_disturb_the_owner(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    voter.on_prepare(Prepare(B3), 11.1)
    assert voter.on_propose(Propose(A1, 2), 11.2) == Accepted(A1, 2)
    assert voter.given(11.3) == Given(A1, 11.7)


def test_a_later_life_of_the_owner_is_somebody_else(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    answer = voter.on_prepare(Prepare(LATER_A), 11.1)
    assert isinstance(answer, Refused)
    assert answer.reason is Refusal.HELD


def test_an_attempt_heard_again_is_answered_without_lengthening_it(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    assert voter.on_propose(Propose(A1, 1), 11.4) == Accepted(A1, 1)
    assert voter.given(11.4) == Given(A1, 11.5)


def test_an_overtaken_attempt_is_answered_without_shortening_it(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 2), 11.0)
    assert voter.on_propose(Propose(A1, 1), 11.2) == Accepted(A1, 1)
    assert voter.given(11.4) == Given(A1, 11.5)


def test_a_straggler_of_a_dead_holder_does_not_take_the_vote_along(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 5), 11.0)
    assert voter.on_propose(Propose(A1, 4), 11.6) == Refused(A1, 4, Refusal.OUTBID, A1)
    assert voter.given(11.6) is None


def test_the_owner_may_go_on_under_a_newer_ballot(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    assert voter.on_prepare(Prepare(A2), 11.1) == Promised(A2)
    assert voter.given(11.1) == Given(A1, 11.5)
    assert voter.on_propose(Propose(A2, 1), 11.2) == Accepted(A2, 1)
    assert voter.on_propose(Propose(A1, 2), 11.3) == Refused(A1, 2, Refusal.OUTBID, A2)
    assert voter.given(11.3) == Given(A2, 11.7)


def test_a_release_frees_the_vote_at_once(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    voter.on_release(A1)
    assert voter.given(11.0) is None
    assert voter.on_prepare(Prepare(B2), 11.0) == Promised(B2)


def test_a_release_covers_older_ballots_of_the_same_life(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    voter.on_release(A2)
    assert voter.given(11.0) is None


@pytest.mark.parametrize("released", [B3, LATER_A, Ballot(0, 11, "a")])
def test_a_release_of_somebody_else_or_of_something_older_frees_nothing(
    voter: Voter, released: Ballot
) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    voter.on_release(released)
    assert voter.given(11.0) == Given(A1, 11.5)


def test_nothing_is_accepted_under_a_released_ballot_again(voter: Voter) -> None:
    voter.on_propose(Propose(A2, 1), 11.0)
    voter.on_release(A2)
    assert voter.on_propose(Propose(A2, 2), 11.1) == Refused(A2, 2, Refusal.OUTBID, A2)
    assert voter.on_prepare(Prepare(A2), 11.1) == Refused(A2, 0, Refusal.OUTBID, A2)


def test_a_release_heard_before_what_it_releases_counts_too(voter: Voter) -> None:
    voter.on_release(A2)
    assert voter.on_propose(Propose(A2, 1), 11.0) == Refused(A2, 1, Refusal.OUTBID, A2)


def test_a_relayed_release_frees_the_vote_for_the_one_that_relays_it(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    assert voter.on_prepare(Prepare(B2, released=A1), 11.1) == Promised(B2)


def test_an_old_release_does_not_lower_what_was_promised(voter: Voter) -> None:
    voter.on_prepare(Prepare(B3), 11.0)
    voter.on_release(A1)
    assert voter.on_propose(Propose(B2, 1), 11.0) == Refused(B2, 1, Refusal.OUTBID, B3)
    assert voter.on_propose(Propose(B3, 1), 11.0) == Accepted(B3, 1)


# -- a lease that is handed over ---------------------------------------------------------------


def test_a_vote_passes_to_the_one_that_took_the_lease_over(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    assert voter.on_propose(Propose(B2, 1, taken_over=A1), 11.25) == Accepted(B2, 1)
    assert voter.given(11.25) == Given(B2, 11.75)


def test_a_vote_lent_under_an_older_ballot_of_the_giver_passes_too(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    assert voter.on_propose(Propose(B3, 1, taken_over=A2), 11.25) == Accepted(B3, 1)


def test_a_promise_to_the_taker_does_not_free_the_vote(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    assert voter.on_prepare(Prepare(B2, taken_over=A1), 11.25) == Promised(B2)
    assert voter.given(11.25) == Given(A1, 11.5)


@pytest.mark.parametrize("taken_over", [A1, LATER_A, B1], ids=["older", "other life", "other"])
def test_what_the_giver_got_anew_or_others_have_does_not_pass(
    voter: Voter, taken_over: Ballot
) -> None:
    voter.on_propose(Propose(A2, 1), 11.0)
    refused = voter.on_propose(Propose(B3, 1, taken_over=taken_over), 11.25)
    assert refused == Refused(B3, 1, Refusal.HELD, A2, 0.25, "a")
    assert voter.given(11.25) == Given(A2, 11.5)


def test_a_taker_that_is_outbid_does_not_free_the_vote(voter: Voter) -> None:
    voter.on_propose(Propose(A2, 1), 11.0)
    refused = voter.on_propose(Propose(B1, 1, taken_over=A2), 11.25)
    assert refused == Refused(B1, 1, Refusal.OUTBID, A2)
    assert voter.given(11.25) == Given(A2, 11.5)


def test_a_renewal_of_the_giver_that_comes_after_it_passed_is_refused(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    voter.on_propose(Propose(B2, 1, taken_over=A1), 11.25)
    assert voter.on_propose(Propose(A1, 2), 11.25) == Refused(A1, 2, Refusal.HELD, B2, 0.5, "b")


def test_a_vote_given_away_is_refused_to_its_owner_until_it_has_passed(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    voter.give_away()
    held = Refused(A2, 1, Refusal.HELD, A1, 0.25, "a")
    assert voter.on_propose(Propose(A2, 1), 11.25) == held
    assert voter.on_propose(Propose(B3, 1, taken_over=A1), 11.25) == Accepted(B3, 1)


def test_a_vote_given_away_is_free_when_it_runs_out_or_is_released(voter: Voter) -> None:
    voter.on_propose(Propose(A1, 1), 11.0)
    voter.give_away()
    assert voter.on_propose(Propose(A2, 1), 11.5) == Accepted(A2, 1)
    voter.give_away()
    voter.on_release(A2)
    assert voter.on_propose(Propose(A3, 1), 11.625) == Accepted(A3, 1)
