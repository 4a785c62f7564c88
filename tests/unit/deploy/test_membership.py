"""Servers and balancers join and leave, and an apply that does it may end at any request.

The script watches after every request that no two balancers could both have enough votes, and that
the holder goes on having enough (``ScriptedFarm.watch_votes``).
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests.unit.deploy.farms import FARM, applied
from tests.unit.deploy.scripted import ScriptedFarm
from tests.unit.deploy.test_interrupted import applied_again, interrupted

from stillup.deploy.apply import Wishes
from stillup.errors import ChangeRefused
from stillup.model.farm import Farm, Role, Server
from stillup.servers.memory import Fault

LB3 = Server("lb3", IPv4Address("10.0.0.20"), frozenset({Role.BALANCER}))
WEB4 = Server("web4", IPv4Address("10.0.0.21"), frozenset({Role.WEB}))
EVERYBODY = replace(FARM, servers=(*FARM.servers, LB3, WEB4))


def without(farm: Farm, *names: str) -> Farm:
    return replace(farm, servers=tuple(one for one in farm.servers if one.name not in names))


def as_two(farm: Farm) -> Farm:
    """Return the farm as two servers that do everything, and a witness."""
    every = frozenset({Role.BALANCER, Role.WEB})
    lb1, lb2 = (replace(one, roles=every) for one in farm.servers[:2])
    servers = (replace(lb1, roles=every | {Role.DATABASE}), lb2)
    return replace(farm, servers=servers, vip=replace(farm.vip, witness=IPv4Address("10.0.0.254")))


def promoted(farm: Farm, name: str) -> Farm:
    """Return the farm with one server that is a balancer besides what it was."""
    return replace(
        farm,
        servers=tuple(
            replace(one, roles=one.roles | {Role.BALANCER}) if one.name == name else one
            for one in farm.servers
        ),
    )


TWO = as_two(FARM)
THREE = replace(TWO, servers=(*TWO.servers, FARM.servers[2]), vip=FARM.vip)

CHANGES: dict[str, tuple[Farm, Farm]] = {
    "a balancer and a web server join": (FARM, EVERYBODY),
    "a balancer and a web server leave": (EVERYBODY, without(EVERYBODY, "lb2", "web4")),
    "a balancer is another one": (without(EVERYBODY, "lb3"), without(EVERYBODY, "lb2")),
    "a web server becomes a balancer": (FARM, promoted(FARM, "web3")),
    "a balancer is only a web server again": (promoted(FARM, "web3"), FARM),
    "a third server takes the witness's place": (TWO, THREE),
    "a witness takes the third server's place": (THREE, TWO),
    "the lease is another": (FARM, replace(FARM, vip=replace(FARM.vip, lease_s=0.2))),
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "index.php").write_text("<?php echo 1;")
    return tmp_path


def begun(before: Farm, source: Path) -> ScriptedFarm:
    """Return everybody's script with ``before`` applied and lb1 holding."""
    scripted = ScriptedFarm(EVERYBODY)
    scripted.become(before)
    applied(scripted, before, source)
    scripted.holder = "lb1"
    scripted.violations.clear()
    scripted.renew()
    return scripted


@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES)
def test_who_votes_changes_and_nobody_notices(before: Farm, after: Farm, source: Path) -> None:
    scripted = begun(before, source)
    assert ("lb1", "electorate") in _requests(scripted, after, source)
    assert scripted.violations == []
    assert all(scripted.servers[one.name].change is None for one in after.servers)
    assert not applied(scripted, after, source).plan.steps


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES)
def test_interrupted_at_any_request_it_arrives_at_the_same_end(
    before: Farm, after: Farm, source: Path
) -> None:
    start = begun(before, source)
    count = len(_requests(start.copy(), after, source))
    faults = (Fault(at, done) for at in range(1, count + 1, 3) for done in (False, True))
    for scripted in applied_again(start, after, source, faults):
        assert all(scripted.servers[one.name].change is None for one in after.servers)


@pytest.mark.slow
def test_another_wish_after_an_interruption_is_fulfilled_too(source: Path) -> None:
    start = begun(FARM, source)
    other = promoted(FARM, "web3")
    count = len(_requests(start.copy(), EVERYBODY, source))
    for at in range(1, count + 1, 5):
        scripted = start.copy()
        scripted.renew().kill = Fault(at, done=True)
        assert interrupted(partial(applied, scripted, EVERYBODY, source))
        scripted.renew()
        scripted.become(other)
        applied(scripted, other, source)
        assert scripted.violations == [], at
        scripted.renew()
        assert not applied(scripted, other, source).plan.steps


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(ChangeRefused) as error:
        act()
    return str(error.value)


def test_what_would_leave_enough_votes_behind_is_refused(source: Path) -> None:
    scripted = begun(EVERYBODY, source)
    few = without(EVERYBODY, "web1", "web2", "web3", "lb2", "lb3")
    assert "voters-missing" in refused(partial(applied, scripted, few, source))


def test_a_holder_that_leaves_is_refused_unless_it_is_forced(source: Path) -> None:
    scripted = begun(FARM, source)
    rest = without(FARM, "lb1")
    assert "stillup failover" in refused(partial(applied, scripted, rest, source))
    scripted.renew()
    applied(scripted, rest, source, Wishes(force=True))
    assert scripted.holder == "lb2"
    assert "lb1 holds and has not enough votes any more" in scripted.violations
    assert not any("could both hold" in violation for violation in scripted.violations)


def test_one_balancer_must_stay(source: Path) -> None:
    scripted = begun(FARM, source)
    new = without(EVERYBODY, "lb1", "lb2")
    assert "balancers-all-new" in refused(partial(applied, scripted, new, source))


def _requests(scripted: ScriptedFarm, farm: Farm, source: Path) -> list[tuple[str, str]]:
    scripted.renew()
    scripted.become(farm)
    applied(scripted, farm, source)
    return list(scripted.access.requests)
