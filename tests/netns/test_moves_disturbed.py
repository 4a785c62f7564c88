"""Moves that something comes in the way of: rules that are flushed, daemons that are replaced."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from tests.netns.farm import BALANCERS, VIP, built, run, wait_for, whole
from tests.netns.moving_farm import MovingFarm

from stillup.heartbeat.control import ask

pytestmark = [
    pytest.mark.netns,
    pytest.mark.timeout(120),
    pytest.mark.usefixtures("haproxy"),
]


@pytest.fixture(scope="module")
def moving(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MovingFarm]:
    with built(MovingFarm(tmp_path_factory.mktemp("moving"), drain_s=30)) as made:
        yield made


@pytest.fixture
def farm(moving: MovingFarm) -> Iterator[MovingFarm]:
    with whole(moving) as made:
        yield made


OPEN = """
import socket, sys
with socket.create_connection((sys.argv[1], 80)):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_rules_that_are_flushed_in_a_drain_are_there_again_in_whole(farm: MovingFarm) -> None:
    argv = [*farm.enter("client"), sys.executable, "-c", OPEN, VIP]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == b"open\n"
        farm.move("lb2")
        wait_for(lambda: "taken" in farm.let_in("lb2"), "lb2 passes on")
        for _ in range(4):
            before = farm.let_in("lb2")
            run(*farm.enter("lb2"), "nft", "flush", "ruleset")
            # The lease is renewed five times in its time, what is passed on once a second.
            wait_for(lambda before=before: farm.let_in("lb2") >= before, "all is back", 0.6)  # type: ignore[misc] # bound now


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


def test_a_giver_killed_in_a_drain_ends_what_was_open_there_and_nothing_else(
    farm: MovingFarm,
) -> None:
    came = farm.users(11.0, "--rate", "50", "--tunnels", "2")
    time.sleep(0.5)
    farm.move("lb2")
    # By then every kept-alive connection has been used, and has gone over.
    time.sleep(2.0)
    assert farm.handing("lb1")["open"] == 2
    farm.signal_daemon("lb1", signal.SIGKILL)
    farm.daemons["lb1"].wait()
    wait_for(lambda: farm.let_in("lb1") == set(), "the kernel has forgotten it", within_s=8)
    farm.start_daemon("lb1")
    seen = came.seen()

    assert seen.failed == {}
    assert seen.answered == seen.asked
    assert sum(seen.cut.values()) == 2
    assert farm.holds("lb2")
    assert farm.where("lb1") == []
    assert farm.handing("lb2")["forwards"] == []
