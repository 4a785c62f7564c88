"""Changing the electorate: which stage believes which, which sets share a voter, when to go on."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, combinations

import pytest

from stillup.heartbeat.membership import (
    Configuration,
    directly,
    may_go_on,
    stages,
    wait_s,
)
from stillup.heartbeat.quorum import Electorate

OLD = Electorate(("lb1", "lb2", "web1", "web2", "web3"), ("lb1", "lb2"), 0.5)
WITH_LB3 = Electorate((*OLD.voters, "lb3"), ("lb1", "lb2", "lb3"), 0.5)
WITHOUT_WEB3 = Electorate(OLD.voters[:-1], OLD.candidates, 0.5)


def enough(electorate: Electorate) -> Iterator[set[str]]:
    servers = electorate.servers
    sets = chain.from_iterable(combinations(servers, count) for count in range(len(servers) + 1))
    for votes in map(set, sets):
        if any(electorate.is_enough(votes, name) for name in electorate.askers):
            yield votes


def share_a_voter(one: Electorate, other: Electorate) -> bool:
    others = list(enough(other))
    return all(votes & more for votes in enough(one) for more in others)


def test_a_balancer_more_in_one_step_leaves_two_sets_that_share_nobody() -> None:
    assert OLD.is_enough({"lb1", "lb2"}, "lb1")
    assert WITH_LB3.is_enough({"lb3", "web1", "web2", "web3"}, "lb3")
    assert not share_a_voter(OLD, WITH_LB3)
    assert not directly(OLD, WITH_LB3)


def test_a_voter_more_or_less_that_is_no_balancer_always_shares_one() -> None:
    for size in range(2, 9):
        names = tuple(f"s{number}" for number in range(size + 1))
        fewer, more = Electorate(names[:-1], names[:2], 0.5), Electorate(names, names[:2], 0.5)
        assert share_a_voter(fewer, more)
        assert directly(fewer, more)
        assert directly(more, fewer)


@pytest.mark.parametrize("new", [WITH_LB3, WITHOUT_WEB3, replace(OLD, lease_s=2.0)])
def test_what_is_enough_under_the_joint_electorate_shares_a_voter_with_either_side(
    new: Electorate,
) -> None:
    joint = stages(OLD, new)[0].electorate
    assert share_a_voter(joint, OLD)
    assert share_a_voter(joint, new)
    assert share_a_voter(joint, joint)


def test_each_stage_hears_the_one_before_and_the_one_after_and_old_and_new_never_meet() -> None:
    old = Configuration(OLD)
    joint, settled, after = stages(OLD, WITH_LB3)

    heard = {
        (one, other)
        for one, first in {"old": old, "joint": joint, "settled": settled, "after": after}.items()
        for other, second in {
            "old": old, "joint": joint, "settled": settled, "after": after
        }.items()
        if first.believes(second)
    }  # fmt: skip

    assert {pair for pair in heard if pair[0] < pair[1]} == {
        ("joint", "old"),
        ("joint", "settled"),
        ("after", "joint"),
        ("after", "settled"),
    }
    assert all((other, one) in heard for one, other in heard)


def test_the_next_change_begins_where_this_one_ended() -> None:
    after = stages(OLD, WITH_LB3)[2]
    joint = stages(WITH_LB3, OLD)[0]
    assert after.believes(joint)
    assert not Configuration(OLD).believes(joint)


def test_it_goes_on_when_those_not_reached_could_not_hold() -> None:
    assert not may_go_on(OLD, {"web1", "web2", "web3"})  # both balancers may hold by themselves
    assert not may_go_on(OLD, {"lb1", "web1"})  # lb2 has a majority with two web servers
    assert may_go_on(OLD, {"lb1", "web1", "web2"})
    assert may_go_on(OLD, {"lb1", "lb2"})  # three web servers are a majority that cannot ask


def test_a_server_of_two_with_a_witness_must_be_reached() -> None:
    two = Electorate(("lb1", "lb2"), ("lb1", "lb2"), 0.5, "10.0.0.254")
    assert not may_go_on(two, {"lb1"})
    assert may_go_on(replace(two, witness=None), {"lb1"})


def test_the_joint_lease_is_lent_for_the_longer_and_held_for_the_shorter() -> None:
    joint = stages(OLD, replace(OLD, lease_s=2.0))[0].electorate
    assert (joint.shortest_s, joint.longest_s) == (0.5, 2.0)
    assert wait_s(OLD, joint) == pytest.approx(2.04)


def test_only_who_is_a_balancer_before_and_after_may_stand_meanwhile() -> None:
    new = Electorate(("lb2", "lb3", "web1"), ("lb3", "lb2"), 0.5)
    joint = stages(OLD, new)[0].electorate
    assert joint.eligible == ("lb2",)
    assert joint.askers == ("lb3", "lb2", "lb1")
    assert joint.servers == ("lb2", "lb3", "web1", "lb1", "web2", "web3")


def test_replacing_every_balancer_at_once_is_refused() -> None:
    with pytest.raises(ValueError, match="before and after the change"):
        stages(OLD, Electorate(("lb3", "web1", "web2"), ("lb3",), 0.5))
