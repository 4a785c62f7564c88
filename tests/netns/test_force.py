"""Two balancers without a witness: when one dies, a person says so and the other one holds."""

from collections.abc import Iterator

import pytest
from tests.netns.farm import BALANCERS, built, wait_for
from tests.netns.pair import PairFarm

from stillup.errors import ServerFailed
from stillup.heartbeat.control import ask
from stillup.heartbeat.settings_reader import Json

pytestmark = [pytest.mark.netns, pytest.mark.timeout(60)]

LB1_IS_DEAD: dict[str, Json] = {"op": "force", "dead": ["lb1"]}


@pytest.fixture(scope="module")
def namespaced(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PairFarm]:
    with built(PairFarm(tmp_path_factory.mktemp("farm"))) as made:
        yield made


def test_a_balancer_that_is_heard_cannot_be_declared_dead(farm: PairFarm) -> None:
    with pytest.raises(ServerFailed, match=r"lb1 was heard 0\.\d s ago, so it is not dead"):
        ask(farm.control("lb2"), {**LB1_IS_DEAD, "go": True})
    assert _declared(farm) == []


def test_nobody_holds_until_a_person_says_who_is_dead_and_it_ends_when_that_one_is_back(
    farm: PairFarm,
) -> None:
    farm.lose_power("lb1")
    wait_for(lambda: bool(_risked(farm)), "lb1 has been silent for long enough")
    assert _risked(farm)["forced"] is False
    assert not farm.holds("lb2")

    assert ask(farm.control("lb2"), {**LB1_IS_DEAD, "go": True})["forced"] is True

    wait_for(lambda: farm.holds("lb2"), "lb2 holds by force")
    assert farm.status("lb2")["votes"] == ["lb2"]
    farm.forward("lb1", on=True)
    farm.start_daemon("lb1")
    wait_for(lambda: _declared(farm) == [], "lb1 is not dead any more")
    wait_for(
        lambda: any(farm.status(name).get("votes") == [*BALANCERS] for name in BALANCERS),
        "both vote for one of them",
    )


def _risked(farm: PairFarm) -> dict[str, Json]:
    """Return what force would risk; nothing while it is refused."""
    try:
        return ask(farm.control("lb2"), LB1_IS_DEAD)
    except ServerFailed:
        return {}


def _declared(farm: PairFarm) -> Json:
    vips = farm.status("lb2")["vips"]
    assert isinstance(vips, list)
    assert isinstance(vips[0], dict)
    return vips[0]["declared_dead"]
