"""The kernel holds a server to its lease, whatever the process does: two namespaces and a cable."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from tests.netns.farm import VIP, run

from stillup.heartbeat import arp, neighbour
from stillup.heartbeat.address import Addresses
from stillup.heartbeat.haproxy import Haproxy
from stillup.heartbeat.holding import Holding, Succession
from stillup.heartbeat.journal import Journal
from stillup.heartbeat.kernel_lease import TICKET_MS, TRIES, KernelLease, remove_all_but
from stillup.heartbeat.loop import Loop, clock_s
from stillup.heartbeat.ruleset import table
from stillup.heartbeat.settings import Vip
from stillup.lab.namespace import enter

pytestmark = [pytest.mark.netns, pytest.mark.timeout(30)]

VIP6 = "fd00:10::1"

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


def lease(space: Space, now_s: Callable[[], float] = clock_s, address: str = VIP) -> KernelLease:
    events: list[tuple[str, Mapping[str, object]]] = []
    kernel = space.do(
        lambda: KernelLease(
            address, "eth0", now_s, lambda words, told: events.append((words, told))
        )
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


HARDWARE = bytes.fromhex("020000000001")


@dataclass
class Cable:
    """Both ends of a cable: what is said into ``eth0`` and what comes out at ``eth1``."""

    mouth: socket.socket
    ear: socket.socket

    def carries(self, frame: bytes) -> bool:
        """Return whether a frame gets through."""
        with contextlib.suppress(OSError):
            self.mouth.send(frame)
        try:
            while self.ear.recv(256)[: len(frame)] != frame:
                pass
        except TimeoutError:
            return False
        return True


@pytest.fixture
def cable(here: Space) -> Iterator[Cable]:
    everything = socket.htons(3)
    ear = here.do(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, everything))
    mouth = here.do(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
    with ear, mouth:
        ear.bind(("eth1", 3))
        ear.settimeout(0.2)
        mouth.bind(("eth0", 0))
        yield Cable(mouth, ear)


@pytest.mark.parametrize("held", [True, False])
def test_an_announcement_leaves_only_under_a_lease(
    here: Space,
    cable: Cable,
    held: bool,  # noqa: FBT001
) -> None:
    kernel = lease(here)
    assert kernel.families == ["inet", "arp", "netdev"]
    if held:
        assert here.do(lambda: kernel.renew(clock_s() + 5))

    assert cable.carries(arp.announcements(VIP, HARDWARE)[0]) == held


@pytest.mark.parametrize("held", [True, False])
def test_an_advertisement_leaves_only_under_a_lease_and_from_its_address(
    here: Space,
    cable: Cable,
    held: bool,  # noqa: FBT001
) -> None:
    kernel = lease(here, address=VIP6)
    assert kernel.families == ["inet", "netdev"]
    if held:
        assert here.do(lambda: kernel.renew(clock_s() + 5))
        assert here.do(kernel.left_ms) > 4000
    (frame,) = neighbour.announcements(VIP6, HARDWARE)
    from_another = frame[:22] + bytes.fromhex("fe80") + frame[24:]
    of_another = frame[:62] + bytes.fromhex("fe80") + frame[64:]

    assert cable.carries(frame) == held
    assert not cable.carries(from_another)
    assert cable.carries(of_another[:22] + bytes.fromhex("fe80") + of_another[24:])


def test_each_address_has_a_lease_of_its_own(here: Space) -> None:
    one, other = lease(here), lease(here, address=VIP6)
    assert here.do(lambda: one.renew(clock_s() + 5))
    assert here.do(lambda: other.renew(clock_s() + 5))

    here.do(one.end)
    assert here.do(one.left_ms) == 0
    assert here.do(other.left_ms) > 4000

    here.do(one.remove)
    assert here.do(other.left_ms) > 4000


def test_only_the_rules_of_addresses_that_are_none_now_are_removed(here: Space) -> None:
    one, other = lease(here), lease(here, address=VIP6)
    assert here.do(lambda: other.renew(clock_s() + 5))
    anothers = ("nft", "add", "table", "inet", "not_ours")
    run("ip", "netns", "exec", here.name, *anothers)

    assert here.do(lambda: remove_all_but([VIP6])) == [table(one.address)]

    tables = run("ip", "netns", "exec", here.name, "nft", "list", "tables")
    assert sorted(tables.split()[2::3]) == ["not_ours", *[table(VIP6)] * 2]
    assert here.do(other.left_ms) > 4000


@pytest.mark.parametrize(("vip", "prefix"), [(VIP, 24), (VIP6, 64)])
def test_an_address_comes_and_goes_and_is_known_as_ours(here: Space, vip: str, prefix: int) -> None:
    addresses = here.do(Addresses)
    here.at_end.callback(addresses.close)
    link = here.do(lambda: addresses.link("eth0"))
    assert link is not None

    assert here.do(lambda: addresses.add(link.index, vip, prefix))
    assert here.do(lambda: addresses.add(link.index, vip, prefix))  # it is there already: well
    found = here.do(lambda: addresses.leftovers(["10.9.9.9"]))
    here.do(lambda: addresses.remove(link.index, vip, prefix))
    here.do(lambda: addresses.remove(link.index, vip, prefix))  # it is gone already: well

    assert [(each.index, each.address, each.ours) for each in found] == [(link.index, vip, True)]
    assert here.do(addresses.present) == [
        each for each in here.do(addresses.present) if each.address != vip
    ]
    assert not here.do(lambda: addresses.add(9999, vip, prefix))


def test_connections_live_on_when_what_was_given_comes_back_and_is_not_taken(here: Space) -> None:
    loop = Loop()
    journal = Journal(loop.now_s, os.open(os.devnull, os.O_WRONLY))

    def begin() -> Holding:
        addresses = Addresses()
        link = addresses.link("eth0")
        addresses.close()
        haproxy = Haproxy(loop, None, journal.rarely)
        succession = Succession({"lb2": "10.0.0.3"}, 30.0, haproxy, lambda: None)
        return Holding(loop, Vip(VIP, 24, None), link, "eth0", journal, succession=succession)

    holding = here.do(begin)
    here.do(lambda: holding.hold(clock_s() + 1))
    here.do(lambda: holding.give("lb2", clock_s() + 1))
    here.do(loop.turn)
    here.do(holding.let_go)
    here.do(loop.turn)

    assert f"inet {VIP}/32 scope" in run("ip", "-n", here.name, "address", "show", "dev", "lo")
    words = ("ip", "netns", "exec", here.name, "nft", "list", "set", "inet", table(VIP), "open")
    assert f"elements = {{ {VIP}" in run(*words)
    here.do(holding.remove)
