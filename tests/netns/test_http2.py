"""HTTP/2 while the address moves: users with many requests on one connection."""

import time
from collections.abc import Iterator

import pytest
from tests.http2 import User, went_over
from tests.netns.farm import VIP, built, wait_for, whole
from tests.netns.moving_farm import MovingFarm

pytestmark = [
    pytest.mark.netns,
    pytest.mark.timeout(120),
    pytest.mark.usefixtures("haproxy"),
]

URL = f"https://{VIP}/"


@pytest.fixture(scope="module")
def moving(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MovingFarm]:
    with built(MovingFarm(tmp_path_factory.mktemp("moving"), drain_s=40)) as made:
        yield made


@pytest.fixture
def farm(moving: MovingFarm) -> Iterator[MovingFarm]:
    with whole(moving) as made:
        yield made


def test_a_busy_connection_goes_over_when_the_givers_haproxy_is_reloaded(farm: MovingFarm) -> None:
    user = User(farm.enter("client"), URL, seconds=6)
    words = ("--rate", "100", "--downloads", "2", "--uploads", "1", "--tunnels", "2")
    others = farm.users(8.0, *words)
    time.sleep(1.5)
    farm.move("lb2")
    time.sleep(1.0)
    farm.reload_service("lb1")

    assert went_over(user.answers()) == ["lb1", "lb2"]
    # Nobody else notices the reload.
    seen = others.seen()
    assert (seen.failed, seen.cut) == ({}, {})
    assert seen.answered == seen.asked
    wait_for(lambda: not farm.handing("lb1")["draining"], "the drain is over")


def test_without_a_reload_it_stays_at_the_giver(farm: MovingFarm) -> None:
    """HAProxy cannot tell one HTTP/2 connection to go: should it learn to, no reload is needed."""
    user = User(farm.enter("client"), URL, seconds=4)
    time.sleep(1.5)
    farm.move("lb2")

    assert went_over(user.answers()) == ["lb1"]
