"""What a farm must endure, against the tables of docs/layouts.md and against reason."""

from dataclasses import replace
from itertools import combinations

import pytest
from tests.unit.drill.farms import FARM, RECIPE, TRIO

from stillup.drill.catalogue import catalogue, in_set
from stillup.drill.choosing import chosen
from stillup.drill.expectation import expectation, touches
from stillup.drill.fault import Action, Fault
from stillup.model.farm import Farm, Role
from stillup.model.redundancy import redundancy
from stillup.model.survival import survival
from stillup.model.weakness import single_points_of_failure


def survives(farm: Farm, name: str) -> bool:
    return expectation(farm, chosen(farm, [name], [])[1]).survives


@pytest.mark.parametrize("farm", [FARM, TRIO], ids=lambda farm: farm.name)
def test_a_farm_without_a_single_point_of_failure_survives_whatever_befalls_one_server(
    farm: Farm,
) -> None:
    assert single_points_of_failure(farm) == ()
    for each in ("single", "links", "planned"):
        for fault in in_set(farm, each):
            assert expectation(farm, fault).survives, fault.name


def test_of_a_farm_with_single_points_of_failure_exactly_these_need_not_be_survived() -> None:
    alone = {name for weakness in single_points_of_failure(RECIPE) for name in weakness.servers}
    assert alone
    for server in RECIPE.servers:
        assert survives(RECIPE, f"power-off {server.name}") == (server.name not in alone)
    fault = chosen(RECIPE, [f"power-off {RECIPE.having(Role.DATABASE)[0].name}"], [])[1]
    assert expectation(RECIPE, fault).why == f"{fault.servers[0]} keeps the database alone"


def test_of_two_servers_those_that_keep_the_data_or_do_one_work_need_not_be_survived() -> None:
    fatal = {
        " + ".join(fault.servers): expectation(FARM, fault).why
        for fault in in_set(FARM, "pairs")
        if not expectation(FARM, fault).survives
    }
    assert fatal == {
        "lb1 + lb2": "nobody can hold the virtual IP",
        "web1 + web2": "no web server is left",
        "web2 + data1": "the database has no majority and the storage has no majority",
        "web2 + data2": "the database has no majority and the storage has no majority",
        "data1 + data2": "the database has no majority and the storage has no majority",
    }


def test_a_trio_survives_no_two() -> None:
    assert not any(expectation(TRIO, fault).survives for fault in in_set(TRIO, "pairs")[1:])


@pytest.mark.parametrize(
    ("name", "must"),
    [
        ("cut lb1 + web1 + data1 from lb2 + web2 + data2", False),  # 3 of 6 are no majority
        ("cut lb1 + lb2 from all web + all storage", False),
        ("kill haproxy at lb1 + lb2", False),
        ("kill heartbeat at all servers", False),
        ("kill storage-keeper at all storage + web2", True),
        ("hang mariadb at data1 + data2", False),
    ],
)
def test_all_of_a_role_and_sides_of_a_cut(name: str, must: bool) -> None:  # noqa: FBT001 - a case
    name = name.replace("all web + all storage", "web1 + web2 + data1 + data2")
    assert survives(FARM, name) == must


def test_a_side_with_all_of_the_work_survives_a_cut_and_says_so() -> None:
    bigger = replace(FARM, servers=(*FARM.servers, replace(FARM.servers[2], name="web3")))
    told = {f.name: expectation(bigger, f) for f in in_set(bigger, "partitions")[1:]}
    # The last web server breaks ties, and is on the side of lb1 and data1.
    assert {name: one.survives for name, one in told.items()} == {
        "cut lb1 + web1 + data1 + web3 from lb2 + web2 + data2": True,
        "cut lb1 + lb2 from web1 + web2 + data1 + data2 + web3": False,
        "cut web1 + web2 + web3 from lb1 + lb2 + data1 + data2": False,
        "cut data1 + data2 from lb1 + lb2 + web1 + web2 + web3": False,
    }
    assert expectation(FARM, in_set(FARM, "partitions")[1]).why == (
        "of the sides of the cut none can do all of the work: nobody can hold the virtual IP"
    )


def test_the_tie_breaker_counts_as_one_of_those_who_keep_the_data() -> None:
    touched = {
        fault.name
        for fault in catalogue(FARM)
        if fault.engine and touches(FARM, fault, Role.DATABASE)
    }
    assert {name for name in touched if "+" not in name} == {
        f"{action} {engine}"
        for action in ("kill", "hang")
        for engine in (
            *("mariadb at data1", "mariadb at data2", "arbiter at web2"),
            *("database-keeper at data1", "database-keeper at data2"),
        )
    }
    power = [f for f in in_set(FARM, "servers") if f.name.startswith("power-off")]
    assert [f.servers[0] for f in power if touches(FARM, f, Role.DATABASE)] == [
        *("web2", "data1", "data2"),
    ]


def test_a_web_server_may_have_locked_what_others_want_of_the_storage() -> None:
    touched = [f.name for f in in_set(FARM, "single") if touches(FARM, f, Role.STORAGE)]

    assert [name for name in touched if name.startswith("power-off")] == [
        *("power-off web1", "power-off web2", "power-off data1", "power-off data2"),
    ]
    assert {name for name in touched if name.startswith("hang") and " at " in name} == {
        *("hang mount at web1", "hang mount at web2", "hang gluster at web2"),
        *("hang gluster at data1", "hang gluster at data2"),
    }


@pytest.mark.parametrize("farm", [FARM, TRIO, RECIPE], ids=lambda farm: farm.name)
def test_what_survives_a_loss_survives_a_smaller_one_and_check_says_the_same(farm: Farm) -> None:
    names = [server.name for server in farm.servers]
    sets = [
        frozenset(lost) for count in range(1, len(names) + 1) for lost in combinations(names, count)
    ]
    must = {lost for lost in sets if expectation(farm, power_off(farm, lost)).survives}
    for lost in must:
        assert all(smaller in must for name in lost if (smaller := lost - {name}))
    most = {one.role: one.survives for one in redundancy(farm)}
    for lost in must:
        assert len(lost) <= survival(farm).with_a_balancer or farm_keeps_balancers(farm, lost)
    for role, count in most.items():
        keepers = {server.name for server in farm.having(role)}
        assert all(len(keepers & lost) <= count for lost in must)


def power_off(farm: Farm, names: frozenset[str]) -> Fault:
    return Fault(Action.POWER_OFF, tuple(s.name for s in farm.servers if s.name in names))


def farm_keeps_balancers(farm: Farm, lost: frozenset[str]) -> bool:
    return not lost & {server.name for server in farm.having(Role.BALANCER)}


def test_what_is_planned_takes_nobody_away() -> None:
    planned = in_set(FARM, "planned")
    assert not [
        fault.name
        for fault in planned
        for role in (Role.DATABASE, Role.STORAGE)
        if touches(FARM, fault, role)
    ]
