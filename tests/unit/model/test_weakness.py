"""Single points of failure and votes, and the votes' words against every set of dead servers."""

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from stillup.model.farm import Farm, Role, Server
from stillup.model.read import read_farm
from stillup.model.weakness import Weakness, single_points_of_failure, votes

EXAMPLE = Path(__file__).resolve().parents[3] / "tests/farms/six.toml"
ROLES = {"b": Role.BALANCER, "w": Role.WEB, "d": Role.DATABASE, "s": Role.STORAGE}


def farm_of(*servers: str) -> Farm:
    """Return a farm of servers given by their roles' first letters, named s1, s2, ..."""
    farm = read_farm(EXAMPLE.read_bytes(), "farm.toml")
    assert isinstance(farm, Farm)
    made = tuple(
        Server(f"s{i}", IPv4Address(f"10.0.0.{i + 1}"), frozenset(ROLES[r] for r in letters))
        for i, letters in enumerate(servers, 1)
    )
    shared = ("uploads",) if any("s" in letters for letters in servers) else ()
    return replace(farm, servers=made, site=replace(farm.site, shared=shared))


def codes(farm: Farm) -> list[tuple[str, tuple[str, ...]]]:
    return [(weakness.code, weakness.servers) for weakness in single_points_of_failure(farm)]


def test_the_example_has_its_database_alone() -> None:
    farm = read_farm(EXAMPLE.read_bytes(), "farm.toml")
    assert isinstance(farm, Farm)
    assert single_points_of_failure(farm) == (
        Weakness(
            "one-database",
            ("db1",),
            "when db1 dies every page that needs the database fails until it is back, and what its "
            "disk loses is lost",
            'give a second server the role "database"; until then keep backups',
        ),
    )


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        (("b", "b", "w", "w", "d"), [("one-database", ("s5",))]),
        (("b", "w", "w", "d"), [("one-balancer", ("s1",)), ("one-database", ("s4",))]),
        (("b", "b", "w", "d"), [("one-web", ("s3",)), ("one-database", ("s4",))]),
        (("bwd", "bw", "w"), [("one-database", ("s1",))]),
        (
            ("bwd", "bw"),
            [("one-database", ("s1",)), ("two-voters", ("s1", "s2"))],
        ),
        (
            ("bwd",),
            [("one-balancer", ("s1",)), ("one-web", ("s1",)), ("one-database", ("s1",))],
        ),
        (("bwds", "bwds", "bwds"), []),
        (("b", "b", "w", "w", "ds", "ds"), []),
        (("b", "b", "w", "w", "d", "d", "s"), [("one-storage", ("s7",))]),
        (
            ("bwds", "bwds"),
            [
                ("two-database-servers", ("s1", "s2")),
                ("two-storage-servers", ("s1", "s2")),
                ("two-voters", ("s1", "s2")),
            ],
        ),
        (("b", "wd"), [("one-balancer", ("s1",)), ("one-web", ("s2",)), ("one-database", ("s2",))]),
    ],
)
def test_each_role_on_one_server_and_two_voters_are_found(
    servers: tuple[str, ...], expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    assert codes(farm_of(*servers)) == expected


def has_quorum(farm: Farm, alive: set[str]) -> bool:
    """The rule itself: a balancer, and a majority of all servers or all balancers."""
    balancers = {server.name for server in farm.having(Role.BALANCER)}
    return bool(balancers & alive) and (len(alive) > len(farm.servers) / 2 or balancers <= alive)


@pytest.mark.parametrize("balancers", [1, 2, 3])
@pytest.mark.parametrize("others", range(6))
def test_two_voters_are_the_only_farm_where_one_death_leaves_a_balancer_without_quorum(
    balancers: int, others: int
) -> None:
    farm = farm_of(*["bwd"] * balancers, *["w"] * others)
    names = {server.name for server in farm.servers}
    balancers_of = {server.name for server in farm.having(Role.BALANCER)}
    left = [names - {dead} for dead in names]
    stranded = any(alive & balancers_of and not has_quorum(farm, alive) for alive in left)
    told = [weakness.code for weakness in single_points_of_failure(farm)]
    assert stranded == ("two-voters" in told)


def test_a_witness_is_said_not_to_protect_from_a_cut_between_the_two() -> None:
    farm = farm_of("bwd", "bw")
    farm = replace(farm, vip=replace(farm.vip, witness=IPv4Address("10.0.0.254")))
    (told,) = [one for one in single_points_of_failure(farm) if one.code != "one-database"]
    assert told == Weakness(
        "witness-of-both",
        ("s1", "s2"),
        "when s1 and s2 cannot reach each other but both reach the witness 10.0.0.254, both hold "
        "the virtual IP, and users reach either of them",
        "add a third server; any role will do, as every server votes",
    )


def test_a_lone_balancer_is_said_to_need_no_vote() -> None:
    assert votes(farm_of("b", "w", "d")).text == (
        "s1 holds the virtual IP alone, so it needs nobody's vote and nobody takes over"
    )


@pytest.mark.parametrize(
    ("shared", "stopped"),
    [
        (("uploads",), "every page that needs uploads fails or hangs"),
        (("uploads", "media/x"), "every page that needs uploads and media/x fails or hangs"),
        ((".",), "every page fails"),
    ],
)
def test_one_storage_server_is_told_with_what_lives_on_it(
    shared: tuple[str, ...], stopped: str
) -> None:
    farm = farm_of("b", "b", "w", "w", "d", "d", "s")
    farm = replace(farm, site=replace(farm.site, shared=shared))
    assert single_points_of_failure(farm) == (
        Weakness(
            "one-storage",
            ("s7",),
            f"when s7 dies {stopped} until it is back, and what its disk loses is lost",
            'give a second server the role "storage"; until then keep backups',
        ),
    )


def test_a_storage_on_which_nothing_lives_is_no_weakness() -> None:
    farm = farm_of("b", "b", "w", "w", "d", "d", "s")
    assert single_points_of_failure(replace(farm, site=replace(farm.site, shared=()))) == ()


def test_two_that_nobody_can_break_the_tie_of_are_told_with_the_way_out() -> None:
    farm = farm_of("bd", "bwd")
    (told,) = [one for one in single_points_of_failure(farm) if one.code == "two-database-servers"]
    assert told == Weakness(
        "two-database-servers",
        ("s1", "s2"),
        "when s1 or s2 dies the other one cannot tell that from a cut between them, so it takes no "
        "write, and every page that needs the database fails until both are back",
        'add a third server; with the role "database" it keeps the data too, with any other it '
        "breaks ties",
    )
