"""Moving the virtual IP on purpose: asked of its holder, told what came of it."""

import asyncio
from pathlib import Path

import pytest
from tests.unit.deploy.farms import FARM, serving, site
from tests.unit.deploy.scripted import ScriptedFarm

from stillup.deploy.failover import Moved, failover
from stillup.deploy.force import Forcing, force, risks
from stillup.errors import ChangeRefused, InputRefused, ServerFailed, ServerUnreachable


@pytest.fixture
def scripted(tmp_path: Path) -> ScriptedFarm:
    farm = serving(site(tmp_path))
    farm.holder = "lb1"
    return farm


def moved(
    scripted: ScriptedFarm, to: str | None = None, address: str | None = None
) -> list[tuple[str, str, str, int]]:
    found: list[Moved] = asyncio.run(
        failover(FARM, scripted.access, to=to, address=address, tell=lambda _: None)
    )
    return [(each.address, each.giver, each.taker, each.open) for each in found]


def test_it_moves_to_the_balancer_that_is_named_and_back(scripted: ScriptedFarm) -> None:
    scripted.open["lb1"] = 3

    assert moved(scripted, "lb2") == [("10.0.0.1", "lb1", "lb2", 3)]
    assert scripted.holder == "lb2"
    assert moved(scripted) == [("10.0.0.1", "lb2", "lb1", 0)]


def test_what_is_there_already_is_left(scripted: ScriptedFarm) -> None:
    assert moved(scripted, "lb1", "10.0.0.1") == []
    assert scripted.holder == "lb1"


def test_a_refusal_of_the_holder_is_told_with_its_reason(scripted: ScriptedFarm) -> None:
    scripted.servers["lb2"].ill = "no carrier"

    with pytest.raises(ChangeRefused, match=r"lb1 keeps 10\.0\.0\.1: no other candidate is fit"):
        moved(scripted, "lb2")
    assert scripted.holder == "lb1"


@pytest.mark.parametrize(
    ("to", "address", "said"),
    [
        ("web1", None, "web1 is no balancer of this farm; these are: lb1, lb2"),
        (None, "10.0.0.9", "10.0.0.9 is no virtual IP of this farm; these are: 10.0.0.1"),
    ],
)
def test_what_is_not_of_the_farm_is_refused(
    scripted: ScriptedFarm, to: str | None, address: str | None, said: str
) -> None:
    with pytest.raises(InputRefused, match=said):
        moved(scripted, to, address)


def test_nothing_is_handed_over_when_the_holder_cannot_be_reached(scripted: ScriptedFarm) -> None:
    scripted.access.dead.add("lb1")
    scripted.servers["lb2"].instead["state"] = lambda _: {}
    with pytest.raises(ServerFailed, match=r"no balancer that can be reached holds 10\.0\.0\.1"):
        moved(scripted)
    scripted.access.dead.add("lb2")
    with pytest.raises(ServerUnreachable):
        moved(scripted)


def test_nothing_is_moved_while_somebody_changes_the_farm(scripted: ScriptedFarm) -> None:
    scripted.servers["lb1"].locked_by = -1
    with pytest.raises(ChangeRefused, match="another change is under way"):
        moved(scripted, "lb2")


def test_force_says_what_it_risks_and_only_then_does_it(scripted: ScriptedFarm) -> None:
    scripted.access.dead |= {"lb1", "web1"}
    scripted.holder = None
    forcing = Forcing("lb2", ("lb1", "web1"))

    said = asyncio.run(risks(FARM, scripted.access, forcing))
    assert said == ["lb2 will hold without lb1"]
    assert scripted.holder is None
    assert asyncio.run(force(FARM, scripted.access, forcing)) == ["10.0.0.1"]
    assert scripted.holder == "lb2"


def test_force_is_refused_with_the_heartbeats_own_words(scripted: ScriptedFarm) -> None:
    with pytest.raises(ServerFailed, match=r"web1 was heard 0\.1 s ago"):
        asyncio.run(force(FARM, scripted.access, Forcing("lb2", ("web1",))))
    with pytest.raises(InputRefused, match="web9 is no server of this farm"):
        asyncio.run(risks(FARM, scripted.access, Forcing("lb2", ("web9",))))
    assert scripted.holder == "lb1"
