"""The address is moved under load, with real daemons and a real HAProxy: nobody loses anything."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import users
from tests.netns.farm import VIP, VIP6, built, run, wait_for, whole
from tests.netns.moving_farm import MovingFarm
from tests.wire import overlaps

from stillup.heartbeat.control import ask

pytestmark = [
    pytest.mark.netns,
    pytest.mark.timeout(180),
    pytest.mark.usefixtures("haproxy"),
]

MOVES = 10
EVERY_S = 2.0


@pytest.fixture(scope="module")
def moving(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MovingFarm]:
    with built(MovingFarm(tmp_path_factory.mktemp("moving"))) as made:
        yield made


@pytest.fixture
def farm(moving: MovingFarm) -> Iterator[MovingFarm]:
    with whole(moving) as made:
        yield made


def test_ten_moves_in_a_row_lose_nothing(farm: MovingFarm) -> None:
    came = farm.users(MOVES * EVERY_S + 3, "--downloads", "10", "--uploads", "3", "--tunnels", "3")
    moved_s = []
    time.sleep(1.5)
    for number in range(MOVES):
        moved_s.append(time.monotonic())
        farm.move("lb1" if number % 2 else "lb2")
        time.sleep(EVERY_S)
    seen = came.seen()
    near_s, elsewhere_s = users.longest_waits_s(seen.waits, moved_s)

    assert (seen.failed, seen.cut) == ({}, {})
    assert seen.answered == seen.asked
    assert near_s <= users.may_wait_s(elsewhere_s)
    assert farm.holder() == "lb1"


def test_over_ipv6_it_is_the_same(namespaces: None, tmp_path: Path) -> None:
    made = MovingFarm(tmp_path, drain_s=299, vips={VIP: "lb1", VIP6: "lb1"})
    with built(made) as farm, whole(farm):
        words = ("--rate", "200", "--downloads", "3", "--uploads", "2", "--tunnels", "2")
        came = farm.users(9.0, *words, vip=VIP6)
        time.sleep(1.0)
        for to in ("lb2", "lb1", "lb2"):
            farm.move(to, VIP6)
            time.sleep(2.0)
        seen = came.seen()

        assert (seen.failed, seen.cut) == ({}, {})
        assert seen.answered == seen.asked
        # Each address moves alone.
        assert farm.holds("lb1", VIP)
        assert farm.holds("lb2", VIP6)


def test_a_giver_whose_connections_have_ended_is_as_if_it_had_never_held(farm: MovingFarm) -> None:
    came = farm.users(2.5, "--rate", "50", "--downloads", "2")
    time.sleep(1.0)
    farm.move("lb2")

    assert farm.handing("lb1")["draining"]
    assert farm.handing("lb1")["open"]
    wait_for(lambda: farm.where("lb1") == ["lo"], "the address is put aside")
    assert farm.where("lb2") == ["eth0"]
    assert farm.handing("lb2")["forwards"] == ["lb1"]
    assert came.seen().cut == {}
    wait_for(lambda: farm.where("lb1") == [], "the address is off lb1")
    wait_for(lambda: farm.handing("lb2")["forwards"] == [], "nothing is passed on")
    assert not farm.handing("lb1")["draining"]
    assert farm.let_in("lb1") == set()


def test_a_giver_asks_its_neighbours_with_its_own_address(farm: MovingFarm) -> None:
    """A question that claims the address is not let out without a lease: open connections stall."""
    came = farm.users(3.0, "--rate", "50", "--downloads", "2")
    time.sleep(1.0)
    farm.move("lb2")
    run("ip", "-n", farm.space("lb1"), "neighbour", "flush", "dev", "eth0")
    seen = came.seen()

    assert (seen.failed, seen.cut) == ({}, {})
    assert seen.stream_waits_s["download"] < 0.8


def test_a_taker_asks_its_neighbours_with_its_own_address(farm: MovingFarm) -> None:
    """What it asks before it has the lease would be dropped, and asked again after a second."""
    run("ip", "-n", farm.space("lb2"), "neighbour", "flush", "dev", "eth0")
    watcher = farm.watcher(arp_only=True)
    came = farm.users(1.5, "--rate", "500")
    time.sleep(0.5)
    farm.move("lb2")
    seen, heard = came.seen(), watcher.stop()

    assert (seen.failed, seen.by["lb2"] > 0) == ({}, True)
    assert [each for each in heard if each.kind == "request"] == []


SAME_PORT = f"""
import socket, sys
def ask(path):
    user = socket.socket()
    user.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    user.bind(("", 55555))
    user.connect(("{VIP}", 80))
    user.sendall(f"GET {{path}} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n".encode())
    return user
before = ask("/")
while before.recv(4096): pass
before.close()
print("asked", flush=True)
sys.stdin.readline()
download = ask("/download")
download.recv(1)
print("begun", flush=True)
sys.stdin.readline()
# What it has not read makes this a reset.
download.close()
"""


def test_a_reset_ends_a_connection_whose_port_the_new_holder_knows_from_before(
    farm: MovingFarm,
) -> None:
    farm.move("lb2")
    argv = [*farm.enter("client"), sys.executable, "-c", SAME_PORT]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as user:
        assert user.stdin is not None
        assert user.stdout is not None
        for to, said in (("lb1", b"asked\n"), ("lb2", b"begun\n")):
            assert user.stdout.readline() == said
            farm.move(to)
            if to == "lb2":
                assert farm.handing("lb1")["open"] == 1
            user.stdin.write(b"\n")

    wait_for(lambda: farm.handing("lb1")["open"] == 0, "it has ended at lb1", within_s=3)


def test_a_daemon_that_is_told_to_end_waits_for_what_is_open(farm: MovingFarm) -> None:
    came = farm.users(4.0, "--rate", "50", "--downloads", "2", "--tunnels", "1")
    time.sleep(1.0)
    farm.signal_daemon("lb1", signal.SIGTERM)
    wait_for(lambda: farm.holds("lb2"), "lb2 holds")

    assert farm.handing("lb1")["open"]
    seen = came.seen()
    assert (seen.failed, seen.cut) == ({}, {})
    assert farm.daemons["lb1"].wait(10) == 0
    assert farm.where("lb1") == []


def test_a_daemon_replaced_in_a_drain_keeps_what_is_open(farm: MovingFarm) -> None:
    came = farm.users(7.0, "--rate", "50", "--downloads", "2", "--tunnels", "1")
    time.sleep(0.5)
    farm.move("lb2")
    for name in ("lb1", "lb2"):
        farm.reload(name)

    assert farm.handing("lb1")["open"]
    assert farm.handing("lb2")["forwards"] == ["lb1"]
    seen = came.seen()
    assert (seen.failed, seen.cut) == ({}, {})
    wait_for(lambda: farm.where("lb1") == [], "the address is off lb1")


def test_what_is_open_at_the_end_of_the_drain_is_reset(namespaces: None, tmp_path: Path) -> None:
    with built(MovingFarm(tmp_path, drain_s=2)) as farm, whole(farm):
        came = farm.users(8.0, "--rate", "20", "--tunnels", "2")
        time.sleep(1.0)
        farm.move("lb2")
        seen = came.seen()

        # Nobody who begins anew notices; and a kept-alive connection may be found closed.
        assert not any(words.startswith("new") for words in seen.failed)
        # They are told at once, and do not wait in silence.
        assert sum(seen.cut.values()) == 2
        assert all("Timeout" not in words for words in seen.cut)
        assert re.search(r"vip drained .* destroyed=[1-9]", farm.log("lb1"))


@pytest.mark.parametrize("whose", ["giver", "taker"])
@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
@pytest.mark.parametrize("after_s", [0.0, 0.002, 0.2], ids=["at once", "in the middle", "after"])
def test_a_daemon_that_fails_in_a_move_leaves_one_holder_and_nothing_behind(
    farm: MovingFarm, whose: str, fault: signal.Signals, after_s: float
) -> None:
    name, other = ("lb1", "lb2") if whose == "giver" else ("lb2", "lb1")
    watcher = farm.watcher()
    ask(farm.control("lb1"), {"op": "failover", "to": "lb2"})
    time.sleep(after_s)
    farm.signal_daemon(name, fault)
    wait_for(lambda: farm.status(other).get("holding") == [VIP], f"{other} holds")
    farm.signal_daemon(name, signal.SIGKILL)
    farm.daemons[name].wait()
    seen = watcher.stop()

    assert overlaps(seen, farm.lease_ms / 1000) == []
    wait_for(lambda: farm.let_in(name) == set(), "the kernel has forgotten it", within_s=8)
    farm.start_daemon(name)
    wait_for(lambda: bool(farm.status(name)), f"the daemon of {name}")
    assert farm.where(name) == []
