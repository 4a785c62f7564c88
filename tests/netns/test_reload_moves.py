"""Daemons are replaced while connections live on at a giver: nobody loses anything."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.netns.farm import SERVERS, built, wait_for, whole
from tests.netns.moving_farm import MovingFarm

pytestmark = [
    pytest.mark.netns,
    pytest.mark.timeout(120),
    pytest.mark.usefixtures("haproxy"),
]


@pytest.fixture
def farm(namespaces: None, tmp_path: Path) -> Iterator[MovingFarm]:
    with built(MovingFarm(tmp_path, drain_s=60)) as made, whole(made):
        yield made


def test_open_connections_live_on_through_moves_and_reloads(farm: MovingFarm) -> None:
    came = farm.users(14.0, "--rate", "100", "--downloads", "5", "--uploads", "2", "--tunnels", "2")
    time.sleep(1.0)
    for giver, taker in (("lb1", "lb2"), ("lb2", "lb1")):
        farm.move(taker)
        assert farm.handing(giver)["draining"]
        for name in SERVERS:
            farm.reload(name)
        if giver == "lb1":  # what was opened at lb2 in the second between is short, and may be over
            assert farm.handing(giver)["draining"]
            assert farm.handing(taker)["forwards"]
    seen = came.seen()

    assert (seen.failed, seen.cut) == ({}, {})
    assert seen.answered == seen.asked
    for name in ("lb1", "lb2"):
        wait_for(lambda name=name: not farm.handing(name)["draining"], "the drains end")  # type: ignore[misc] # bound now
        wait_for(lambda name=name: not farm.handing(name)["forwards"], "nothing is passed on")  # type: ignore[misc] # bound now
    assert farm.where("lb2") == []
    assert farm.where("lb1") == ["eth0"]
