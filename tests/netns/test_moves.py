"""The address is moved under load, with real daemons and a real HAProxy: nobody loses anything."""

import shutil
import time
from collections.abc import Iterator

import pytest
from tests.netns.farm import run
from tests.netns.moving_farm import MovingFarm

pytestmark = [
    pytest.mark.netns,
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed"),
]

MOVES = 10
EVERY_S = 2.0


@pytest.fixture(scope="module")
def moving(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MovingFarm]:
    made = MovingFarm(tmp_path_factory.mktemp("moving"))
    try:
        made.build()
        for name in made.servers:
            words = ("ip", "netns", "exec", made.space(name), "sysctl", "-qw")
            run(*words, "net.ipv4.ip_nonlocal_bind=1", "net.ipv4.conf.all.arp_announce=2")
        yield made
    finally:
        made.destroy()


@pytest.fixture
def farm(moving: MovingFarm) -> Iterator[MovingFarm]:
    moving.make_whole()
    yield moving
    for name in moving.daemons:
        print(f"--- {name}\n{moving.log(name)}")  # noqa: T201 - shown when the test fails


def test_ten_moves_in_a_row_lose_nothing(farm: MovingFarm) -> None:
    users = farm.users(MOVES * EVERY_S + 3, "--downloads", "10", "--uploads", "3", "--tunnels", "3")
    time.sleep(1.5)
    for number in range(MOVES):
        farm.move("lb1" if number % 2 else "lb2")
        time.sleep(EVERY_S)
    seen = users.seen()

    assert (seen["failed"], seen["cut"]) == ({}, {})
    assert seen["answered"] == seen["asked"]
    assert farm.holder() == "lb1"
