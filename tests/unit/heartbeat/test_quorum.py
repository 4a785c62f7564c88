"""Which votes are enough; that any two sets that are enough share a voter."""

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillup.heartbeat.quorum import Electorate

FARM = Electorate(("lb1", "lb2", "web1", "web2", "web3", "db1"), ("lb1", "lb2"), 0.5)


def subsets(names: tuple[str, ...]) -> list[frozenset[str]]:
    sizes = range(len(names) + 1)
    return [frozenset(s) for s in chain.from_iterable(combinations(names, n) for n in sizes)]


@pytest.mark.parametrize("voter_count", range(1, 8))
@pytest.mark.parametrize("candidate_count", range(1, 5))
def test_any_two_sets_that_are_enough_share_a_voter(voter_count: int, candidate_count: int) -> None:
    voters = tuple(f"s{number}" for number in range(voter_count))
    candidates = voters[:candidate_count]
    farm = Electorate(voters, candidates, 0.5)

    enough = {
        votes for votes in subsets(voters) for asker in candidates if farm.is_enough(votes, asker)
    }

    assert enough
    assert all(one & other for one in enough for other in enough)


@pytest.mark.parametrize(
    ("votes", "asker", "expected"),
    [
        (["lb1", "web1", "web2", "web3"], "lb1", True),
        (["lb1", "web1", "web2"], "lb1", False),
        (["lb1", "lb2"], "lb1", True),
        (["lb1", "lb2"], "lb2", True),
        (["lb1"], "lb1", False),
        (["web1", "web2", "web3", "db1"], "lb1", False),
        (["lb2", "web1", "web2", "web3"], "lb1", False),
        (["lb1", "lb1", "web1", "web1", "web2", "web2"], "lb1", False),
        (["lb1", "web1", "stranger", "other"], "lb1", False),
        (["lb1", "lb2", "web1", "web2", "web3", "db1"], "web1", False),
    ],
)
def test_enough_is_a_majority_or_all_candidates_with_the_own_vote(
    votes: list[str], asker: str, *, expected: bool
) -> None:
    assert FARM.is_enough(votes, asker) is expected


def test_one_server_alone_is_enough_for_itself() -> None:
    assert Electorate(("a",), ("a",), 0.5).is_enough(["a"], "a")


@pytest.mark.parametrize(
    ("voters", "candidates", "lease_s", "match"),
    [
        (("a",), (), 0.5, "at least one candidate"),
        (("a", "a"), ("a",), 0.5, "twice"),
        (("a", "b"), ("a", "a"), 0.5, "twice"),
        (("a",), ("b",), 0.5, "no voters: b"),
        (("a",), ("a",), 0.0, "longer than"),
    ],
)
def test_an_unsound_electorate_is_refused(
    voters: tuple[str, ...], candidates: tuple[str, ...], lease_s: float, match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        Electorate(voters, candidates, lease_s)


names = st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=5, unique=True)


@given(names, names, st.sampled_from([0.15, 0.5]), st.sampled_from([0.15, 0.5]))
def test_fingerprints_agree_exactly_when_the_electorates_do(
    one: list[str], other: list[str], one_s: float, other_s: float
) -> None:
    first = Electorate(tuple(one), (one[0],), one_s)
    second = Electorate(tuple(reversed(other)), (other[0],), other_s)

    same = set(one) == set(other) and one[0] == other[0] and one_s == other_s

    assert (first.fingerprint() == second.fingerprint()) is same
    assert len(first.fingerprint()) == 8


def test_a_voter_is_not_mistaken_for_a_candidate_in_the_fingerprint() -> None:
    one = Electorate(("a", "b"), ("a",), 0.5)
    both = Electorate(("a", "b"), ("a", "b"), 0.5)
    assert one.fingerprint() != both.fingerprint()
