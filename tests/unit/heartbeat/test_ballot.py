"""Ballots are unique and ordered."""

from stillup.heartbeat.ballot import Ballot, Owner, next_ballot

LB1 = Owner("lb1", 11)
LB2 = Owner("lb2", 22)


def test_the_first_ballot_has_round_one() -> None:
    assert next_ballot(LB1) == Ballot(1, 11, "lb1")


def test_the_next_ballot_is_above_all_that_were_seen() -> None:
    assert next_ballot(LB1, Ballot(7, 99, "lb2"), None, Ballot(3, 11, "lb1")) == Ballot(
        8, 11, "lb1"
    )


def test_a_greater_round_is_newer_whoever_asks() -> None:
    assert Ballot(2, 11, "lb1") > Ballot(1, 22, "lb2")


def test_equal_rounds_of_two_candidates_differ() -> None:
    assert next_ballot(LB1) != next_ballot(LB2)
    assert sorted([next_ballot(LB2), next_ballot(LB1)]) == [next_ballot(LB1), next_ballot(LB2)]


def test_two_lives_of_one_candidate_never_share_a_ballot() -> None:
    assert next_ballot(Owner("lb1", 11)) != next_ballot(Owner("lb1", 12))


def test_people_see_round_and_name() -> None:
    assert str(Ballot(17, 22, "lb2")) == "17.lb2"
