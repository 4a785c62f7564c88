"""Servers that keep copies of the same are changed, join, come back empty and leave.

The script watches that none is changed while another one's copy is behind, and that what is
written to never leaves; interrupted at any request, the next apply arrives at the same end.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests.unit.deploy.farms import FARM, applied
from tests.unit.deploy.scripted import ScriptedFarm
from tests.unit.deploy.test_interrupted import applied_again
from tests.unit.deploy.test_membership import refused, without

from stillup.deploy.apply import Wishes
from stillup.model.farm import Farm, Role, Server
from stillup.node.message import Json, JsonObject
from stillup.servers.memory import Fault

DATA = frozenset({Role.STORAGE, Role.DATABASE})


def farm_of(**roles: frozenset[Role]) -> Farm:
    return replace(
        FARM,
        servers=tuple(
            Server(name, IPv4Address(f"10.0.0.{number}"), has)
            for number, (name, has) in enumerate(roles.items(), start=2)
        ),
    )


ALL = frozenset(Role)
TRIO = farm_of(a=ALL, b=ALL, c=ALL)
DUO = farm_of(
    lb1=frozenset({Role.BALANCER}),
    lb2=frozenset({Role.BALANCER}),
    web1=frozenset({Role.WEB}),
    web2=frozenset({Role.WEB}),
    data1=DATA,
    data2=DATA,
)
DATA3 = Server("data3", IPv4Address("10.0.0.30"), DATA)
THREE = replace(DUO, servers=(*DUO.servers, DATA3))


def other(farm: Farm) -> Farm:
    """Return the farm with settings that change every server that has to do with the database."""
    return replace(farm, database=replace(farm.database, buffer_bytes=256 * 2**20, user="shop"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "index.php").write_text("<?php echo 1;")
    return tmp_path


def begun(before: Farm, after: Farm, source: Path) -> ScriptedFarm:
    """Return the script of all servers with ``before`` applied."""
    everybody = {one.name: one for one in (*after.servers, *before.servers)}
    scripted = ScriptedFarm(replace(before, servers=tuple(everybody.values())))
    scripted.become(before)
    applied(scripted, before, source)
    assert scripted.violations == []
    scripted.renew()
    return scripted


CHANGES: dict[str, tuple[Farm, Farm]] = {
    "three with every role": (TRIO, other(TRIO)),
    "two with a tie-breaker": (DUO, other(DUO)),
    "a third one joins": (DUO, THREE),
    "one leaves": (THREE, DUO),
    "a second database server": (
        FARM,
        replace(
            FARM,
            servers=(
                *FARM.servers,
                _DB2 := Server("db2", IPv4Address("10.0.0.31"), frozenset({Role.DATABASE})),
            ),
        ),
    ),
}


@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES)
def test_copies_are_changed_one_after_another(before: Farm, after: Farm, source: Path) -> None:
    scripted = begun(before, after, source)
    scripted.become(after)
    applied(scripted, after, source)
    assert scripted.violations == []
    for role, copies in scripted.copies.items():
        wanted = {one.name for one in after.having(role)}
        assert set(copies.peers) & wanted == (wanted if len(wanted) > 1 else set())
        assert not copies.behind.keys() & wanted
    scripted.renew()
    assert not applied(scripted, after, source).plan.steps


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES)
def test_interrupted_at_any_request_it_arrives_at_the_same_end(
    before: Farm, after: Farm, source: Path
) -> None:
    start = begun(before, after, source)
    start.become(after)
    whole = start.copy()
    whole.become(after)
    applied(whole, after, source)
    count = len(whole.access.requests)
    faults = (Fault(at, done=at % 2 == 1) for at in range(1, count + 1, 3))
    assert [*applied_again(start, after, source, faults)]


def test_a_dead_one_is_replaced_by_an_empty_one_before_anything_else(source: Path) -> None:
    scripted = begun(TRIO, TRIO, source)
    dead = scripted.servers["b"]
    dead.applied, dead.release, dead.releases, dead.accounts = None, None, [], frozenset()
    for copies in scripted.copies.values():
        del copies.peers["b"]
        # What the others lack they lack because of b.
        copies.behind = {"a": 1000, "c": 1000}
    usual = dead.usual("apply")

    def back(arguments: Mapping[str, Json]) -> JsonObject:
        for copies in scripted.copies.values():
            copies.behind.clear()
        return usual(arguments)

    dead.instead["apply"] = back
    applied(scripted, other(TRIO), source)
    assert scripted.violations == []


def test_the_last_copy_does_not_leave(source: Path) -> None:
    moved = farm_of(lb1=frozenset({Role.BALANCER}), web1=frozenset({Role.WEB}), new=DATA)
    before = farm_of(
        lb1=frozenset({Role.BALANCER}), web1=frozenset({Role.WEB}), data1=DATA, data2=DATA
    )
    scripted = begun(before, moved, source)
    scripted.become(moved)
    assert "[database-begins-empty]" in refused(partial(applied, scripted, moved, source))


def test_two_copies_do_not_leave_at_once(source: Path) -> None:
    scripted = begun(THREE, THREE, source)
    fewer = without(THREE, "data2", "data3")
    scripted.become(fewer)
    assert "[copies-leave-at-once]" in refused(partial(applied, scripted, fewer, source))
    assert scripted.servers["data1"].applies == 1


def test_one_does_not_leave_while_all_others_are_behind_unless_it_is_forced(source: Path) -> None:
    scripted = begun(THREE, THREE, source)
    scripted.become(DUO)
    scripted.copies[Role.DATABASE].behind = {"data1": 9, "data2": 9}
    assert "data1: joining; data2: joining" in refused(partial(applied, scripted, DUO, source))
    scripted.renew()
    applied(scripted, DUO, source, Wishes(force=True))
    assert scripted.servers["data1"].applies == 2
