"""Moves that something comes in the way of: rules that are flushed, daemons that are replaced."""

import shutil
import time
from collections.abc import Iterator

import pytest
from tests.netns.farm import BALANCERS, built, run, wait_for, whole
from tests.netns.moving_farm import MovingFarm

from stillup.heartbeat.control import ask

pytestmark = [
    pytest.mark.netns,
    pytest.mark.timeout(120),
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed"),
]


@pytest.fixture(scope="module")
def moving(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MovingFarm]:
    with built(MovingFarm(tmp_path_factory.mktemp("moving"), drain_s=30)) as made:
        yield made


@pytest.fixture
def farm(moving: MovingFarm) -> Iterator[MovingFarm]:
    with whole(moving) as made:
        yield made


def test_rules_that_are_flushed_in_a_drain_are_there_again_in_whole(farm: MovingFarm) -> None:
    came = farm.users(5.0, "--rate", "20", "--tunnels", "1")
    time.sleep(0.5)
    farm.move("lb2")
    wait_for(lambda: "taken" in farm.let_in("lb2"), "lb2 passes on")
    for _ in range(4):
        before = farm.let_in("lb2")
        run(*farm.enter("lb2"), "nft", "flush", "ruleset")
        # Renewed five times a lease; what is passed on is renewed but once a second by itself.
        wait_for(lambda before=before: farm.let_in("lb2") >= before, "all is back", 0.4)  # type: ignore[misc] # bound now
    came.seen()


def test_a_daemon_replaced_in_the_middle_of_a_move_goes_on_with_it(farm: MovingFarm) -> None:
    came = farm.users(6.0, "--rate", "50", "--downloads", "2", "--tunnels", "1")
    time.sleep(0.5)
    for to in ("lb2", "lb1"):
        (giver,) = (name for name in BALANCERS if name != to)
        ask(farm.control(giver), {"op": "failover", "to": to})
        for name in (to, giver):
            farm.reload(name)
        wait_for(lambda to=to: farm.holds(to), f"{to} holds")  # type: ignore[misc] # bound now
    seen = came.seen()
    assert (seen.failed, seen.cut) == ({}, {})
    assert seen.answered == seen.asked
