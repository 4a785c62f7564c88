"""An apply that is interrupted at any request, and run again, arrives at the same end.

Interrupted by the death of the controller or of a server; before a request was done, or when
its answer alone was lost. At no time do users feel it: the script watches.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.unit.deploy.farms import FARM, applied, serving
from tests.unit.deploy.scripted import ScriptedFarm

from stillup.deploy.release import back, release
from stillup.errors import StillupError
from stillup.model.farm import Balance, Farm, Role
from stillup.servers.memory import ControllerKilled, Fault

# What differs after this touches every server: settings of all roles, and the lease of all votes;
# and the account that the pages have in the database.
CHANGED = replace(
    FARM,
    vip=replace(FARM.vip, lease_s=0.6),
    balancer=replace(FARM.balancer, balance=Balance.LEAST_CONNECTIONS),
    web=replace(FARM.web, php_workers=24),
    database=replace(FARM.database, buffer_bytes=256 * 2**20, user="shop"),
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.php").write_text("<?php echo 1;")
    return folder


def new(_: Path) -> ScriptedFarm:
    return ScriptedFarm(CHANGED)


def serving_with_a_drain(source: Path) -> ScriptedFarm:
    scripted = serving(source)
    for balancer in FARM.having(Role.BALANCER):
        scripted.servers[balancer.name].drained["web3"] = "user"
    return scripted


STARTS = (new, serving, serving_with_a_drain)
Start = Callable[[Path], ScriptedFarm]


def interrupted(act: Callable[[], object]) -> bool:
    """Act until it ends or is interrupted; return whether it was."""
    try:
        act()
    except (ControllerKilled, StillupError):
        return True
    except BaseExceptionGroup as group:
        kept, others = group.split((ControllerKilled, StillupError))
        assert kept is not None
        if others is not None:
            raise others from None
        return True
    return False


def applied_again(
    start: ScriptedFarm, after: Farm, source: Path, faults: Iterable[Fault]
) -> Iterator[ScriptedFarm]:
    """Interrupt an apply at each of some requests; yield what the next one has made of the farm."""
    for fault in faults:
        scripted = start.copy()
        scripted.become(after)
        scripted.renew().kill = fault
        assert interrupted(partial(applied, scripted, after, source)), fault
        scripted.renew()
        applied(scripted, after, source)
        assert scripted.violations == [], fault
        yield scripted
        scripted.renew()
        assert not applied(scripted, after, source).plan.steps, fault


@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.__name__)
def test_an_apply_arrives_and_the_next_has_nothing_to_do(start: Start, source: Path) -> None:
    scripted = start(source)
    outcome = applied(scripted, CHANGED, source)
    assert outcome.plan.steps
    assert not scripted.violations
    assert scripted.holder in {"lb1", "lb2"}
    scripted.renew()
    assert not applied(scripted, CHANGED, source).plan.steps


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.__name__)
def test_killed_at_any_request_it_arrives_at_the_same_end(
    start: Start, source: Path, *, done: bool
) -> None:
    whole = start(source)
    whole.renew()
    applied(whole, CHANGED, source)
    end, count = whole.end(), len(whole.access.requests)
    assert count > 40
    for at in range(1, count + 1):
        scripted = start(source)
        scripted.renew().kill = Fault(at, done)
        assert interrupted(partial(applied, scripted, CHANGED, source)), at
        scripted.renew()
        applied(scripted, CHANGED, source)
        assert scripted.end() == end, f"killed at request {at} of {count}"
        assert not scripted.violations, f"killed at request {at} of {count}"


@pytest.mark.parametrize("victim", ["lb1", "lb2", "web2", "db1"])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.__name__)
def test_a_server_that_dies_at_any_request_stops_it_and_the_next_arrives(
    start: Start, source: Path, victim: str, *, done: bool
) -> None:
    whole = start(source)
    whole.renew()
    applied(whole, CHANGED, source)
    end = whole.end()
    count = sum(name == victim for name, _ in whole.access.requests)
    for at in range(1, count + 1):
        scripted = start(source)
        scripted.renew().death = {victim: Fault(at, done)}
        assert interrupted(partial(applied, scripted, CHANGED, source)), at
        left = {
            web: by
            for name, one in scripted.servers.items()
            if name != victim
            for web, by in one.drained.items()
            if by == "apply"
        }
        assert not left, f"still drained after {victim} died at its request {at}"
        assert not any(one.locked_by for one in scripted.servers.values())
        scripted.renew()
        applied(scripted, CHANGED, source)
        assert scripted.end() == end, f"{victim} died at its request {at} of {count}"
        assert not scripted.violations, f"{victim} died at its request {at} of {count}"


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_release_killed_at_any_request_arrives_when_run_again(
    source: Path, tmp_path: Path, *, done: bool
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.php").write_text("<?php echo 2;")

    def released(scripted: ScriptedFarm) -> str:
        act = release(CHANGED, scripted.access, site, tell=lambda _: None)
        return asyncio.run(act).release

    whole = serving(source)
    whole.renew()
    name = released(whole)
    end, count = whole.end(), len(whole.access.requests)
    for at in range(1, count + 1):
        scripted = serving(source)
        scripted.renew().kill = Fault(at, done)
        assert interrupted(partial(released, scripted))
        scripted.renew()
        assert released(scripted) == name
        assert scripted.end() == end, at
        scripted.renew()
        before = whole.servers["web1"].previous
        assert asyncio.run(back(CHANGED, scripted.access)).release == before


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_going_back_killed_at_any_request_arrives_when_run_again(
    source: Path, tmp_path: Path, *, done: bool
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.php").write_text("<?php echo 2;")

    def two_releases() -> ScriptedFarm:
        scripted = serving(source)
        asyncio.run(release(FARM, scripted.access, site, tell=lambda _: None))
        scripted.renew()
        return scripted

    def went_back(scripted: ScriptedFarm) -> str:
        return asyncio.run(back(FARM, scripted.access)).release

    whole = two_releases()
    first = went_back(whole)
    end, count = whole.end(), len(whole.access.requests)
    for at in range(1, count + 1):
        scripted = two_releases()
        scripted.access.kill = Fault(at, done)
        assert interrupted(partial(went_back, scripted))
        # The last server has forgotten where they were going, so they are known to be there.
        was_over = done and at == count
        scripted.renew()
        if not was_over:
            assert went_back(scripted) == first, at
        assert scripted.end() == end, at
