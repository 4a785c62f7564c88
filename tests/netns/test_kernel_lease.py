"""The kernel holds a server to its lease, whatever the process does: two namespaces and a cable."""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest
from tests.netns.farm import VIP, run

from stillup.heartbeat import arp
from stillup.heartbeat.address import Addresses
from stillup.heartbeat.kernel_lease import TICKET_MS, TRIES, KernelLease
from stillup.heartbeat.loop import clock_s
from stillup.lab.namespace import enter

pytestmark = [pytest.mark.netns, pytest.mark.timeout(30)]

Result = TypeVar("Result")


class Space:
    """A network namespace, and a thread that lives in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        run("ip", "netns", "add", name)
        self._thread = ThreadPoolExecutor(1)
        self.at_end = ExitStack()
        self.do(lambda: enter(Path("/run/netns") / name))

    def do(self, what: Callable[[], Result]) -> Result:
        return self._thread.submit(what).result()

    def end(self) -> None:
        self.at_end.close()
        self._thread.shutdown()
        run("ip", "netns", "delete", self.name)


@pytest.fixture
def here(namespaces: None) -> Iterator[Space]:
    """A namespace with ``eth0`` in it; its other end is ``eth1`` in the same one."""
    space = Space(f"hb{os.getpid()}-kernel")
    try:
        peer = ("peer", "name", "eth1")
        run("ip", "-n", space.name, "link", "add", "eth0", "type", "veth", *peer)
        for link in ("lo", "eth0", "eth1"):
            run("ip", "-n", space.name, "link", "set", link, "up")
        yield space
    finally:
        space.end()


def lease(space: Space, now_s: Callable[[], float] = clock_s) -> KernelLease:
    events: list[tuple[str, Mapping[str, object]]] = []
    kernel = space.do(
        lambda: KernelLease(VIP, "eth0", now_s, lambda words, told: events.append((words, told)))
    )
    space.at_end.callback(kernel.close)
    return kernel


def test_a_lease_ends_by_itself_and_not_a_moment_late(here: Space) -> None:
    kernel = lease(here)
    until_s = clock_s() + 0.15

    assert here.do(lambda: kernel.renew(until_s))
    assert 0 < here.do(kernel.left_ms) <= 150 - TICKET_MS
    while here.do(kernel.left_ms):
        assert clock_s() < until_s


def test_a_renewal_that_comes_late_is_refused(here: Space) -> None:
    def frozen_after_reading() -> float:
        read_s = clock_s()
        time.sleep(2 * TICKET_MS / 1000)
        return read_s

    kernel = lease(here, frozen_after_reading)

    assert not here.do(lambda: kernel.renew(clock_s() + 10))
    assert here.do(kernel.left_ms) == 0
    assert kernel.late == TRIES


def test_a_late_renewal_leaves_the_running_lease_as_it_was(here: Space) -> None:
    freeze_s = [0.0]

    def now_s() -> float:
        read_s = clock_s()
        time.sleep(freeze_s[0])
        return read_s

    kernel = lease(here, now_s)
    assert here.do(lambda: kernel.renew(clock_s() + 0.4))
    freeze_s[0] = 2 * TICKET_MS / 1000

    assert not here.do(lambda: kernel.renew(clock_s() + 10))
    assert 0 < here.do(kernel.left_ms) < 400


def test_a_renewal_of_a_lease_that_is_over_is_refused(here: Space) -> None:
    kernel = lease(here)

    assert not here.do(lambda: kernel.renew(clock_s() + TICKET_MS / 1000))
    assert here.do(kernel.left_ms) == 0


def test_letting_go_ends_the_lease_at_once(here: Space) -> None:
    kernel = lease(here)
    assert here.do(lambda: kernel.renew(clock_s() + 5))

    here.do(kernel.end)

    assert here.do(kernel.left_ms) == 0


def test_rules_that_were_removed_are_made_again_by_a_renewal(here: Space) -> None:
    kernel = lease(here)
    run("ip", "netns", "exec", here.name, "nft", "flush", "ruleset")

    assert here.do(lambda: kernel.renew(clock_s() + 5))
    assert here.do(kernel.left_ms) > 0
    assert kernel.recreated == 1


def test_a_table_that_was_removed_does_not_keep_a_lease_alive(here: Space) -> None:
    kernel = lease(here)
    assert here.do(lambda: kernel.renew(clock_s() + 5))
    run(
        "ip", "netns", "exec", here.name, "nft", "delete", "table", "netdev", "stillup_vip_10.0.0.1"
    )

    here.do(kernel.end)

    assert here.do(kernel.left_ms) == 0
    assert kernel.recreated == 1


def test_a_restarted_daemon_finds_its_lease_running(here: Space) -> None:
    earlier = lease(here)
    assert here.do(lambda: earlier.renew(clock_s() + 5))

    assert here.do(lease(here).left_ms) > 0


@pytest.mark.parametrize("held", [True, False])
def test_an_announcement_leaves_only_under_a_lease(here: Space, held: bool) -> None:  # noqa: FBT001
    kernel = lease(here)
    assert kernel.families == ["inet", "arp", "netdev"]
    if held:
        assert here.do(lambda: kernel.renew(clock_s() + 5))
    ear = here.do(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)))
    mouth = here.do(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
    ear.bind(("eth1", 0x0806))
    ear.settimeout(0.2)
    mouth.bind(("eth0", 0x0806))
    frame = arp.announcements(VIP, bytes.fromhex("020000000001"))[0]

    try:
        mouth.send(frame)
    except OSError:
        assert not held

    if held:
        assert ear.recv(128)[:42] == frame
    else:
        with pytest.raises(TimeoutError):
            ear.recv(128)
    ear.close()
    mouth.close()


def test_an_address_comes_and_goes_and_is_known_as_ours(here: Space) -> None:
    addresses = here.do(Addresses)
    here.at_end.callback(addresses.close)
    link = here.do(lambda: addresses.link("eth0"))
    assert link is not None

    assert here.do(lambda: addresses.add(link.index, VIP, 24))
    assert here.do(lambda: addresses.add(link.index, VIP, 24))  # it is there already: well
    found = here.do(lambda: addresses.leftovers("10.9.9.9"))
    here.do(lambda: addresses.remove(link.index, VIP, 24))
    here.do(lambda: addresses.remove(link.index, VIP, 24))  # it is gone already: well

    assert [(each.index, each.address, each.ours) for each in found] == [(link.index, VIP, True)]
    assert here.do(addresses.present) == [
        each for each in here.do(addresses.present) if each.address != VIP
    ]
    assert not here.do(lambda: addresses.add(9999, VIP, 24))
