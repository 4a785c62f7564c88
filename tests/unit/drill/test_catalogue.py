"""What a farm can be drilled with, and how a person names it."""

import fnmatch
from dataclasses import replace

import pytest
from tests.unit.drill.farms import FARM, RECIPE, TRIO
from tests.unit.parts.farms import CODE, SECRETS

from stillup.drill.catalogue import CONTROL, SETS, catalogue, in_set
from stillup.drill.choosing import allowed, chosen, not_tested, unknown_allowed
from stillup.drill.engines import UNITS, engines
from stillup.drill.fault import Action, Fault
from stillup.errors import InputRefused
from stillup.model.farm import Drills, Farm
from stillup.node.bundle import Facts
from stillup.parts.bundle import wanted

FARMS = pytest.mark.parametrize("farm", [FARM, TRIO, RECIPE], ids=lambda farm: farm.name)


@FARMS
def test_every_name_is_one_faults_and_finds_it(farm: Farm) -> None:
    faults = catalogue(farm)
    names = [fault.name for fault in faults]
    assert len(set(names)) == len(names)
    assert faults[0] == CONTROL
    assert chosen(farm, names, []) == faults
    for fault in faults[1::20]:
        assert chosen(farm, [fault.name], []) == (CONTROL, fault)


@FARMS
def test_every_set_is_part_of_all_and_begins_with_the_control(farm: Farm) -> None:
    for name in SETS:
        faults = in_set(farm, name)
        assert faults[0] == CONTROL
        assert set(faults) <= set(catalogue(farm))


def test_the_short_set_takes_every_role_and_whoever_holds_the_address() -> None:
    assert [fault.name for fault in in_set(FARM, "short")] == [
        "control",
        "power-off lb1",
        "power-off lb2",
        "cut lb2",
        "power-off web1",
        "power-off data1",
        "kill haproxy at lb1",
        "hang heartbeat at lb2",
        "kill php at web1",
        "planned failover",
        "planned release",
    ]


def test_one_server_is_drilled_with_all_that_can_befall_one() -> None:
    of_web2 = [fault.name for fault in in_set(FARM, "single") if fault.servers == ("web2",)]
    assert of_web2 == [
        "power-off web2",
        "reboot web2",
        "hang web2",
        "cut web2",
        "cut web2 one-way",
        "cut web2 from lb1 + lb2 + web1 + data1 + data2",
        "loss web2 30%",
        "full-disk web2",
        "slow-disk web2",
        "busy-cpu web2",
        *(
            f"{action} {engine} at web2"
            for engine in (
                *("heartbeat", "nginx", "php", "database-proxy", "mount", "mount-watch"),
                *("arbiter", "gluster", "storage-keeper"),
            )
            for action in ("kill", "hang")
        ),
    ]


def test_partitions_are_halves_and_roles() -> None:
    assert [fault.name for fault in in_set(FARM, "partitions")] == [
        "control",
        "cut lb1 + web1 + data1 from lb2 + web2 + data2",
        "cut lb1 + lb2 from web1 + web2 + data1 + data2",
        "cut web1 + web2 from lb1 + lb2 + data1 + data2",
        "cut data1 + data2 from lb1 + lb2 + web1 + web2",
    ]


def test_what_a_farm_has_not_is_not_drilled() -> None:
    having = {engine for server in RECIPE.servers for engine in engines(RECIPE, server)}
    assert having == {"heartbeat", "haproxy", "nginx", "php", "mariadb"}


@FARMS
def test_every_engines_unit_is_one_of_its_servers_own(farm: Farm) -> None:
    facts = Facts(13, "8.4", "eth0", "3.13")
    for server in farm.servers:
        units = {unit.name for unit in wanted(farm, server, SECRETS, facts, CODE).units}
        if "stillup-database.service" in units:
            units.add("mariadb.service")  # which the keeper alone starts
        for engine in engines(farm, server):
            assert fnmatch.filter(units, UNITS[engine]), (server.name, engine)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Power-Off  web1", ["power-off web1"]),
        ("power-off data2+lb1", ["power-off lb1 + data2"]),
        ("power-off all web", ["power-off web1 + web2"]),
        ("power-off all web servers", ["power-off web1 + web2"]),
        ("power-off all servers", ["power-off lb1 + lb2 + web1 + web2 + data1 + data2"]),
        ("kill haproxy at all balancers", ["kill haproxy at lb1 + lb2"]),
        ("power-off web*", ["power-off web1", "power-off web2"]),
        ("kill nginx at *", ["kill nginx at web1", "kill nginx at web2"]),
        ("cut web2 from lb1", ["cut lb1 from web2"]),
        (
            "cut web2 from *",
            [f"cut {name} from web2" for name in ("lb1", "lb2", "web1")]
            + ["cut web2 from data1", "cut web2 from data2"],
        ),
        (
            "power-off lb2 + *",
            ["power-off lb1 + lb2"]
            + [f"power-off lb2 + {name}" for name in ("web1", "web2", "data1", "data2")],
        ),
        (
            "cut data2 + web2 + lb2 from web1+lb1+data1",
            ["cut lb1 + web1 + data1 from lb2 + web2 + data2"],
        ),
        ("failover", ["planned failover"]),
        ("planned drain web*", ["planned drain web1", "planned drain web2"]),
        ("loss web1 30%", ["loss web1 30%"]),
        ("bad-config php", ["planned bad-config php"]),
    ],
)
def test_a_name_may_be_typed_in_many_ways(typed: str, meant: list[str]) -> None:
    assert [fault.name for fault in chosen(FARM, [typed], [])] == ["control", *meant]


def test_nothing_named_is_the_short_set_and_names_and_sets_come_in_the_catalogues_order() -> None:
    assert chosen(FARM, [], []) == in_set(FARM, "short")
    both = chosen(FARM, ["failover", "power-off lb1"], ["links"])
    assert both == tuple(dict.fromkeys([*both]))
    assert [fault.name for fault in both[:2]] == ["control", "power-off lb1"]
    assert both[2:-1] == in_set(FARM, "links")[1:]
    assert both[-1] == Fault(Action.FAILOVER)


def test_all_that_is_mistyped_is_told_at_once_with_what_was_meant() -> None:
    with pytest.raises(InputRefused) as refused:
        chosen(FARM, ["power-of web1", "kill php at web9", "\x1b[31m"], ["sinlge"])
    assert str(refused.value) == (
        '"power-of web1" is no fault of this farm; did you mean "power-off web1"?; '
        '"kill php at web9" is no fault of this farm; did you mean "kill php at web2"?; '
        r'"\x1b[31m" is no fault of this farm; '
        '"sinlge" is no set of faults; did you mean single?. `stillup drill --list` names all there are'
    )


def allowing(*words: str) -> Farm:
    return replace(FARM, drills=Drills(words))


def test_by_default_nothing_is_allowed_on_real_servers() -> None:
    assert allowed(FARM) == {CONTROL}


def test_allowed_are_sets_names_and_patterns_and_a_pattern_never_takes_two_servers_at_once() -> (
    None
):
    may = allowed(allowing("planned", "power-off web*", "kill php at web1"))
    assert may - set(in_set(FARM, "planned")) == {
        Fault(Action.POWER_OFF, ("web1",)),
        Fault(Action.POWER_OFF, ("web2",)),
        Fault(Action.KILL, ("web1",), "php"),
    }


def test_a_star_alone_allows_everything() -> None:
    assert allowed(allowing("*")) == set(catalogue(FARM))


def test_a_word_that_allows_nothing_is_told() -> None:
    assert list(unknown_allowed(allowing("planed", "power-off web1"))) == [
        '"planed" is no fault of this farm; did you mean "planned"?'
    ]


def test_what_was_not_tested_is_told_set_by_set_and_why() -> None:
    farm = allowing("links", "power-off *")
    told = {(one.name, one.why) for one in not_tested(farm, in_set(FARM, "links"), lab=False)}
    assert ("planned failover, planned drain web1, planned drain web2, planned release, "
            "planned apply and 5 more", "[drills] allow does not name it") in told  # fmt: skip
    assert ("power-off lb1, power-off lb2, power-off web1, power-off web2, power-off data1 "
            "and 1 more", "it was not chosen") in told  # fmt: skip
    assert not any(name.startswith("cut lb1 from lb2") for name, _ in told)


def test_in_the_lab_what_was_not_played_was_not_chosen() -> None:
    whole = not_tested(FARM, catalogue(FARM), lab=True)
    assert [one.name for one in whole] == ["faults of different kinds at once"]
    some = not_tested(FARM, in_set(FARM, "short"), lab=True)
    assert {one.why for one in some} == {"it was not chosen", whole[0].why}
