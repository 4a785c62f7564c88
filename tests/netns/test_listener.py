"""The listener of the drills on a wire of its own: two that hold one address, one that nobody holds."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from tests.netns.farm import run

from stillup.drill.history import Heard
from stillup.drill.listener.start import Listening, listening

pytestmark = [pytest.mark.netns, pytest.mark.timeout(60)]

MARK = f"ear{os.getpid()}"
VIP, VIP6 = "10.0.0.1", "fd00:10::1"
HARDWARE = {
    name: f"02:00:00:00:00:0{number}" for number, name in enumerate(("ear", "one", "two"), 1)
}


def space(name: str) -> str:
    return f"{MARK}-{name}"


def inside(words: Sequence[str]) -> Sequence[str]:
    return ("ip", "netns", "exec", space("ear"), *words)


@pytest.fixture(scope="module")
def wire(namespaces: None) -> Iterator[None]:
    """A bridge with the listener and two others on it."""
    try:
        run("ip", "netns", "add", space("bridge"))
        run("ip", "-n", space("bridge"), "link", "add", "br0", "type", "bridge")
        run("ip", "-n", space("bridge"), "link", "set", "br0", "up")
        for number, (name, hardware) in enumerate(HARDWARE.items(), 7):
            run("ip", "netns", "add", space(name))
            peer = ("address", hardware, "type", "veth", "peer", "name", name)
            run("ip", "-n", space(name), "link", "add", "eth0", *peer, "netns", space("bridge"))
            run("ip", "-n", space("bridge"), "link", "set", name, "master", "br0", "up")
            run("ip", "-n", space(name), "address", "add", f"10.0.0.{number}/24", "dev", "eth0")
            sixth = f"fd00:10::{number}/64"
            run("ip", "-n", space(name), "address", "add", sixth, "dev", "eth0", "nodad")
            run("ip", "-n", space(name), "link", "set", "eth0", "up")
        yield
    finally:
        for name in ("bridge", *HARDWARE):
            with contextlib.suppress(RuntimeError):
                run("ip", "netns", "delete", space(name))


def hold(name: str, address: str, *, on: bool) -> None:
    verb, prefix = "add" if on else "delete", 64 if ":" in address else 24
    nodad = ("nodad",) if ":" in address and on else ()
    run("ip", "-n", space(name), "address", verb, f"{address}/{prefix}", "dev", "eth0", *nodad)


def await_heard(ear: Listening, of: Callable[[Heard], bool]) -> None:
    ends_s, before = time.monotonic() + 10, len(ear.heard)
    while not any(of(one) for one in ear.heard[before:]):
        assert time.monotonic() < ends_s, ear.heard[-5:]
        time.sleep(0.01)


@pytest.mark.parametrize("address", [VIP, VIP6])
def test_it_hears_who_holds_an_address_and_when_two_do(wire: None, address: str) -> None:
    origin_s = time.monotonic()
    with listening((VIP, VIP6), origin_s, inside) as ear:
        assert ear.why == ""
        hold("one", address, on=True)
        await_heard(ear, lambda one: one.hardware == HARDWARE["one"])
        both_s = time.monotonic() - origin_s
        hold("two", address, on=True)
        settled_s = both_s + 0.05
        await_heard(ear, lambda one: one.hardware == HARDWARE["two"] and one.at_s > settled_s)
        await_heard(ear, lambda one: one.hardware == HARDWARE["one"] and one.at_s > settled_s)
        hold("one", address, on=False)
        alone_s = time.monotonic() - origin_s
        time.sleep(0.5)
        gone_s = time.monotonic() - origin_s
        hold("two", address, on=False)
        heard, _ = ear.stop()

    assert heard is not None
    assert {one.address for one in heard} == {address}
    assert {one.hardware for one in heard if one.at_s < both_s} == {HARDWARE["one"]}
    assert {one.hardware for one in heard if settled_s < one.at_s < alone_s} == {
        HARDWARE["one"], HARDWARE["two"],
    }  # fmt: skip
    last = [one for one in heard if alone_s + 0.05 < one.at_s < gone_s]
    assert {one.hardware for one in last} == {HARDWARE["two"]}
    # Asked every 20 ms; a machine that stands still for a moment has asked less often.
    asked = (gone_s - alone_s - 0.05) / 0.02
    assert 0.5 * asked < len(last) < 1.2 * asked


def test_it_says_that_it_was_deaf_while_its_own_cable_was_off(wire: None) -> None:
    origin_s = time.monotonic()
    with listening((VIP,), origin_s, inside) as ear:
        time.sleep(0.2)
        run("ip", "-n", space("ear"), "link", "set", "eth0", "down")
        off_s = time.monotonic() - origin_s
        time.sleep(0.4)
        on_s = time.monotonic() - origin_s
        run("ip", "-n", space("ear"), "link", "set", "eth0", "up")
        time.sleep(0.3)
        end_s = time.monotonic() - origin_s
        _, deaf_s = ear.stop()

    # One time without a word holds all of it, and ends while the cable is in again.
    (to_s,) = (to_s for from_s, to_s in deaf_s if from_s <= off_s and on_s <= to_s)
    assert to_s < end_s


def test_who_is_not_on_the_network_of_an_address_says_so(wire: None) -> None:
    with listening((VIP, "192.0.2.7"), time.monotonic(), inside) as ear:
        heard, _ = ear.stop()
    assert (heard, ear.why) == (
        None,
        "192.0.2.7 is not on a network of this machine, so nobody can ask who has it",
    )


def test_without_the_right_to_it_says_so(wire: None) -> None:
    def bare(words: Sequence[str]) -> Sequence[str]:
        return inside(("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", *words))

    with listening((VIP,), time.monotonic(), bare) as ear:
        heard, _ = ear.stop()
    assert (heard, ear.why) == (None, "to ask who has an address takes root, or CAP_NET_RAW")
