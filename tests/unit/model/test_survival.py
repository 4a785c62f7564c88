"""What the virtual IP survives, against every set of dead servers that there is."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import chain, combinations
from time import process_time

import pytest
from tests.unit.model.test_weakness import farm_of

from stillup.heartbeat.quorum import Electorate, witness_vote
from stillup.model.farm import Farm, Role
from stillup.model.survival import Survival, in_words, survival


def electorate_of(farm: Farm) -> Electorate:
    voters = tuple(server.name for server in farm.servers)
    balancers = tuple(server.name for server in farm.having(Role.BALANCER))
    witness = str(farm.vip.witness) if farm.vip.witness else None
    return Electorate(voters, balancers, 0.5, witness)


def with_witness(farm: Farm) -> Farm:
    return replace(farm, vip=replace(farm.vip, witness=IPv4Address("10.0.0.254")))


def losses(names: tuple[str, ...]) -> Iterator[set[str]]:
    sets = (combinations(names, count) for count in range(len(names) + 1))
    return map(set, chain.from_iterable(sets))


def brute_force(
    electorate: Electorate, counts: Callable[[set[str]], bool], *, witness: bool = False
) -> int:
    """Return the most that may be lost, trying every set of servers with the daemon's own rule."""
    most = len(electorate.voters)
    for dead in losses(electorate.voters):
        alive = set(electorate.voters) - dead
        votes = alive | {witness_vote(electorate.witness or "")} if witness else alive
        lives = any(electorate.is_enough(votes, asker) for asker in electorate.candidates)
        if counts(dead) and not lives:
            most = min(most, len(dead) - 1)
    allowed = max(len(dead) for dead in losses(electorate.voters) if counts(dead))
    return min(most, allowed)


@pytest.mark.parametrize("others", range(6))
@pytest.mark.parametrize("balancers", range(1, 5))
def test_it_is_what_the_daemons_rule_gives_for_every_set_of_dead_servers(
    balancers: int, others: int
) -> None:
    farm = farm_of(*["b"] * balancers, *["wd"] * others)
    electorate = electorate_of(farm)
    every = set(electorate.candidates)

    assert survival(farm) == Survival(
        anyhow=brute_force(electorate, lambda _: True),
        with_a_balancer=brute_force(electorate, lambda dead: not every <= dead),
        with_every_balancer=brute_force(electorate, lambda dead: not every & dead),
        with_the_witness=None,
    )


def test_with_a_witness_either_of_two_may_be_lost() -> None:
    farm = with_witness(farm_of("bwd", "bw"))
    by_force = brute_force(electorate_of(farm), lambda _: True, witness=True)
    assert survival(farm).with_the_witness == by_force == 1
    assert survival(farm).anyhow == 0


def test_thirty_servers_are_counted_in_no_time() -> None:
    farm = farm_of(*["b"] * 4, *["w"] * 26)
    began_s = process_time()
    assert survival(farm) == Survival(3, 14, 26, None)
    assert process_time() - began_s < 0.5


@pytest.mark.parametrize(
    ("servers", "told"),
    [
        (
            ("b", "b", "w", "w", "w", "d"),
            "any 2 of 6 servers while a balancer lives, and of any 4 while both balancers live",
        ),
        (("b", "b", "b", "w", "d"), "any 2 of 5 servers"),
        (
            ("b", "b", "b", "w", "w", "w", "w", "d"),
            "any 3 of 8 servers while a balancer lives, and of any 5 while all 3 balancers live",
        ),
        (("bwd", "bw", "w"), "any 1 of 3 servers"),
        (("bwd", "bw"), "none of the 2 servers"),
    ],
)
def test_it_is_told_in_words(servers: tuple[str, ...], told: str) -> None:
    expected = f"the virtual IP survives the loss of {told}"
    assert in_words(farm_of(*servers)) == expected


def test_the_witness_is_told_in_words() -> None:
    told = in_words(with_witness(farm_of("bwd", "bw")))
    assert told == (
        "the virtual IP survives the loss of any 1 of 2 servers while the witness 10.0.0.254 answers"
    )
