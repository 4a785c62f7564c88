"""Two balancers and a witness that they ping: which of them holds when they do not hear each other."""

from collections.abc import Iterator

import pytest
from tests.netns.farm import BALANCERS, CLIENT, built, wait_for
from tests.netns.observing import LEASE_S, observed
from tests.netns.pair import PAIR, PairFarm

from stillup.deploy.standing import heartbeat
from stillup.heartbeat.changing import Side

pytestmark = [pytest.mark.netns, pytest.mark.timeout(60)]

QUIET_S = 2 * LEASE_S
BY_WITNESS = f"witness {CLIENT}"


@pytest.fixture(scope="module")
def namespaced(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PairFarm]:
    with built(PairFarm(tmp_path_factory.mktemp("farm"), witness=CLIENT)) as made:
        yield made


def test_the_status_tells_an_apply_who_takes_part(farm: PairFarm) -> None:
    told = heartbeat(dict(farm.status("lb1")))
    assert told is not None
    assert told.side == Side(PAIR, BALANCERS, LEASE_S, CLIENT)


def test_the_one_that_is_left_takes_over_while_the_witness_answers(farm: PairFarm) -> None:
    with observed(farm) as seen:
        farm.lose_power("lb1")
        wait_for(lambda: farm.holds("lb2"), "lb2 holds")

    assert seen.speakers(farm)[-1] == "lb2"
    assert seen.outage_s < QUIET_S + LEASE_S
    assert farm.status("lb2")["votes"] == ["lb2", BY_WITNESS]


def test_the_one_that_is_cut_off_lets_go_and_the_other_one_holds(farm: PairFarm) -> None:
    with observed(farm) as seen:
        farm.forward("lb1", on=False)
        wait_for(lambda: farm.holds("lb2"), "lb2 holds")
        assert not farm.holds("lb1")

    assert seen.speakers(farm)[-1] == "lb2"


def test_the_holder_goes_on_when_the_other_one_dies(farm: PairFarm) -> None:
    with observed(farm) as seen:
        farm.lose_power("lb2")
        wait_for(
            lambda: farm.status("lb1").get("votes") == ["lb1", BY_WITNESS],
            "lb1 holds by the witness",
        )
    assert seen.speakers(farm) == ["lb1"]
    assert seen.outage_s < 0.05
