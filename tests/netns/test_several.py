"""Several virtual IPs, IPv4 and IPv6, on two balancers: each with a lease of its own.

lb1 is preferred for two of them, lb2 for the third; the bounds are those of ``test_holder.py``.
"""

import signal
import sys
import time
from collections.abc import Iterator

import pytest
from tests.netns.farm import VIP, VIP6, Farm, built, end, run, wait_for
from tests.netns.observing import AFTER_S, LEASE_S, OUTAGE_S, moved, observed
from tests.wire import overlaps

from stillup.errors import ServerFailed
from stillup.heartbeat.control import ask
from stillup.heartbeat.neighbour import announcements

pytestmark = [pytest.mark.netns, pytest.mark.timeout(60)]

LB2S = "10.0.0.5"


@pytest.fixture(scope="module")
def namespaced(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    with built(
        Farm(tmp_path_factory.mktemp("farm"), vips={VIP: "lb1", VIP6: "lb1", LB2S: "lb2"})
    ) as made:
        yield made


def test_without_a_fault_each_address_is_where_it_prefers(farm: Farm) -> None:
    with observed(farm, VIP6) as sixth, observed(farm, LB2S) as other:
        run(*farm.enter("client"), "ip", "neighbour", "flush", "dev", "eth0")
        time.sleep(1.0)

    assert sixth.speakers(farm) == ["lb1"]
    assert other.speakers(farm) == ["lb2"]
    assert {each.kind for each in sixth.sightings} >= {"reply", "packet"}
    for seen in (sixth, other):
        assert seen.outage_s < 0.1
        assert [asked.error for asked in seen.asked if asked.error] == []


def test_what_stands_for_a_balancer_that_has_left_is_forgotten(farm: Farm) -> None:
    table = ("ip", "-6", "-n", farm.space("lb2"), "neighbour")
    for number in (1, 2, 3):
        pinned = (f"fe80::5354:{number}", "lladdr", "02:00:00:00:00:77", "nud", "permanent")
        run(*table, "replace", *pinned, "dev", "eth0")
    farm.reload("lb2")

    # It has one other balancer.
    wait_for(lambda: run(*table, "show", "fe80::5354:3", "dev", "eth0") == "", "it is forgotten")
    assert run(*table, "show", "fe80::5354:2", "dev", "eth0") == ""
    assert "PERMANENT" in run(*table, "show", "fe80::5354:1", "dev", "eth0")


def test_a_dead_holder_costs_a_lease_and_all_are_gathered_on_the_survivor(farm: Farm) -> None:
    with observed(farm) as fourth, observed(farm, VIP6) as sixth, observed(farm, LB2S) as other:
        end(farm.daemons["lb1"])
        end(farm.services["lb1"])
        run("ip", "-n", farm.space("bridge"), "link", "set", "lb1", "down")
        moved(farm)
        moved(farm, vip=VIP6)

    for seen in (fourth, sixth):
        assert seen.speakers(farm) == ["lb1", "lb2"]
        assert seen.outage_s < OUTAGE_S
    assert {each.kind for each in sixth.sightings} >= {"announcement", "reply", "packet"}
    assert other.speakers(farm) == ["lb2"]
    assert [asked.error for asked in other.asked if asked.error] == []
    assert farm.status("lb2")["holding"] == [VIP, VIP6, LB2S]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_or_hanging_daemon_does_not_keep_an_ipv6_address(
    farm: Farm, number: signal.Signals
) -> None:
    with observed(farm, VIP6) as seen:
        farm.signal_daemon("lb1", number)
        moved(farm, vip=VIP6)

    assert seen.speakers(farm) == ["lb1", "lb2"]
    assert seen.outage_s < OUTAGE_S
    assert VIP6 in run("ip", "-n", farm.space("lb1"), "address")


def test_a_silent_cut_costs_a_lease_and_is_forgotten_when_it_heals(farm: Farm) -> None:
    with observed(farm, VIP6) as seen:
        farm.forward("lb1", on=False)
        moved(farm, vip=VIP6)
        farm.forward("lb1", on=True)
        wait_for(lambda: not farm.holds("lb1", VIP6), "lb1 knows")

    assert seen.speakers(farm) == ["lb1", "lb2"]
    assert seen.outage_s < OUTAGE_S


def test_one_address_is_yielded_and_the_others_stay(farm: Farm) -> None:
    with observed(farm) as fourth, observed(farm, VIP6, planned=True) as sixth:
        told = ask(farm.control("lb1"), {"op": "yield", "seconds": 5, "address": VIP6})
        moved(farm, vip=VIP6)

    assert told["yielded"] is True
    assert sixth.speakers(farm) == ["lb1", "lb2"]
    assert sixth.outage_s < 0.1
    assert fourth.speakers(farm) == ["lb1"]
    assert fourth.outage_s < 0.1
    with pytest.raises(ServerFailed, match=r"must be one of 10\.0\.0\.1, fd00:10::1"):
        ask(farm.control("lb1"), {"op": "yield", "seconds": 5, "address": "10.0.0.77"})


def test_who_takes_an_ipv6_address_or_its_interface_away_gets_it_back(farm: Farm) -> None:
    with observed(farm, VIP6) as seen:
        run("ip", "-n", farm.space("lb1"), "address", "delete", f"{VIP6}/64", "dev", "eth0")
        wait_for(lambda: "address restored" in farm.log("lb1"), "the address is back")

    assert seen.speakers(farm) == ["lb1"]
    assert seen.outage_s < 0.1
    told = run("ip", "-n", farm.space("lb1"), "-6", "address", "show", "to", VIP6)
    assert "deprecated" in told
    assert "nodad" in told
    assert "tentative" not in told


def test_a_foreign_advertisement_is_answered(farm: Farm) -> None:
    (frame,) = announcements(VIP6, bytes.fromhex("02005e000077"))
    packed = "import socket,sys;s=socket.socket(17,3,0);s.bind(('eth0',0));s.send(bytes.fromhex("
    with observed(farm, VIP6) as seen:
        run(*farm.enter("client"), sys.executable, "-c", f"{packed}'{frame.hex()}'))")
        wait_for(lambda: "vip claimed by another" in farm.log("lb1"), "lb1 hears it")

    assert seen.speakers(farm) == ["lb1"]
    assert seen.outage_s < 0.1


def test_an_interface_that_goes_and_comes_back_bears_all_addresses_again(farm: Farm) -> None:
    run("ip", "-n", farm.space("lb1"), "link", "delete", "eth0")
    moved(farm, vip=VIP6)
    farm.connect("lb1")
    wait_for(lambda: farm.status("lb1").get("healthy") is True, "lb1 is fit again")

    with observed(farm, VIP6) as seen:
        farm.services["lb2"].kill()
        for vip in farm.vips:
            moved(farm, "lb1", vip)

    assert seen.speakers(farm) == ["lb2", "lb1"]
    assert seen.outage_s < OUTAGE_S


def test_a_server_without_the_lease_does_not_reach_the_ipv6_address_in_itself(farm: Farm) -> None:
    asked = f"import socket;print(socket.create_connection(('{VIP6}',80),0.3).getpeername())"
    argv = (*farm.enter("lb1"), sys.executable, "-c", asked)
    assert VIP6 in run(*argv)

    end(farm.daemons["lb1"])
    moved(farm, vip=VIP6)

    with pytest.raises(RuntimeError, match="timed out"):
        run(*argv)


def test_what_an_earlier_life_left_of_a_removed_address_is_cleared(farm: Farm) -> None:
    end(farm.daemons["lb1"])
    moved(farm, vip=VIP6)
    assert VIP6 in run("ip", "-n", farm.space("lb1"), "address")
    told = farm.settings("lb1")
    told["vips"] = [{"address": VIP, "prefix": 24, "preferred": "lb1"}]
    farm.tell("lb1", told)

    farm.start_daemon("lb1")
    wait_for(lambda: farm.status("lb1").get("holder") == {VIP: "lb2"}, "lb1 votes for lb2")
    status = farm.status("lb1")
    end(farm.daemons["lb1"])
    farm.tell("lb1", farm.settings("lb1"))

    assert "unknown virtual IP" in str(status["datagrams"])
    assert "stillup_vip_fd00_10__1" not in run(*farm.enter("lb1"), "nft", "list", "tables")
    assert "stillup_vip_10.0.0.1" in run(*farm.enter("lb1"), "nft", "list", "tables")
    assert VIP6 not in run("ip", "-n", farm.space("lb1"), "address")


def test_the_watcher_can_tell_when_two_answer_for_an_ipv6_address(farm: Farm) -> None:
    """The control: without the kernel's rules a stopped daemon's server goes on answering."""
    watcher = farm.watcher(VIP6)
    farm.signal_daemon("lb1", signal.SIGSTOP)
    run(*farm.enter("lb1"), "nft", "flush", "ruleset")
    moved(farm, vip=VIP6)
    time.sleep(AFTER_S)

    assert overlaps(watcher.stop(), LEASE_S) != []
