"""What each failure of the holder costs, with real daemons, a real kernel and a real wire.

The bounds are the promises: an outage within the lease and 100 ms, and never two servers that
answer for the address. Where a test allows more, it says why.
"""

import signal
import sys
import time

import pytest
from tests.netns.farm import Farm, end, run, wait_for
from tests.netns.observing import AFTER_S, LEASE_S, OUTAGE_S, moved, observed
from tests.wire import overlaps

pytestmark = [pytest.mark.netns, pytest.mark.timeout(60)]


def test_without_a_fault_nothing_is_missed_and_one_answers(farm: Farm) -> None:
    with observed(farm) as seen:
        time.sleep(1.0)

    assert seen.speakers(farm) == ["lb1"]
    assert seen.outage_s < 0.1
    assert [asked.error for asked in seen.asked if asked.error] == []


def test_a_dead_holder_costs_a_lease(farm: Farm) -> None:
    with observed(farm) as seen:
        end(farm.daemons["lb1"])
        end(farm.services["lb1"])
        farm.link("lb1", "down")
        moved(farm)

    assert seen.speakers(farm) == ["lb1", "lb2"]
    assert seen.outage_s < OUTAGE_S


def test_a_killed_daemon_is_silent_after_its_lease_and_again_when_restarted(farm: Farm) -> None:
    with observed(farm) as seen:
        end(farm.daemons["lb1"])
        moved(farm)
        farm.start_daemon("lb1")
        wait_for(lambda: farm.status("lb1").get("healthy") is True, "lb1 is back")

    assert seen.speakers(farm) == ["lb1", "lb2"]
    assert seen.outage_s < OUTAGE_S
    assert farm.holder() == "lb2"


def test_a_daemon_restarted_at_once_leaves_no_black_hole(farm: Farm) -> None:
    with observed(farm) as seen:
        end(farm.daemons["lb1"])
        farm.start_daemon("lb1")
        wait_for(lambda: farm.holder() is not None, "somebody holds", 5.0)
        time.sleep(LEASE_S)

    assert len(seen.speakers(farm)) <= 2
    assert seen.outage_s < OUTAGE_S


def test_a_stopped_daemon_never_answers_beside_another(farm: Farm) -> None:
    with observed(farm) as seen:
        farm.signal_daemon("lb1", signal.SIGSTOP)
        moved(farm)
        time.sleep(3.0)
        farm.signal_daemon("lb1", signal.SIGCONT)
        wait_for(lambda: farm.status("lb1").get("holding") == [], "lb1 knows")

    assert seen.speakers(farm) == ["lb1", "lb2"]
    assert seen.outage_s < OUTAGE_S


def test_a_lost_carrier_costs_a_lease(farm: Farm) -> None:
    with observed(farm) as seen:
        farm.link("lb1", "down")
        moved(farm)
        farm.link("lb1", "up")
        wait_for(lambda: farm.status("lb1").get("healthy") is True, "lb1 is back")

    assert seen.speakers(farm) == ["lb1", "lb2"]
    assert seen.outage_s < OUTAGE_S
    assert farm.holder() == "lb2"


def test_a_silent_cut_costs_a_lease_and_its_healing_nothing(farm: Farm) -> None:
    with observed(farm) as seen:
        farm.forward("lb1", on=False)
        moved(farm)
        time.sleep(1.0)
        farm.forward("lb1", on=True)
        wait_for(lambda: farm.status("lb1").get("holder") == {"10.0.0.1": "lb2"}, "lb1 knows")

    assert seen.speakers(farm) == ["lb1", "lb2"]
    assert seen.outage_s < OUTAGE_S


def test_a_dead_service_moves_the_address_at_once(farm: Farm) -> None:
    with observed(farm) as seen:
        farm.services["lb1"].kill()
        moved(farm)

    assert seen.speakers(farm) == ["lb1", "lb2"]
    assert seen.outage_s < 0.1


def test_a_hanging_service_moves_the_address_in_about_a_second(farm: Farm) -> None:
    with observed(farm) as seen:
        farm.services["lb1"].send_signal(signal.SIGSTOP)
        moved(farm)

    assert seen.speakers(farm) == ["lb1", "lb2"]
    assert seen.outage_s < 1.4


def test_a_daemon_that_is_told_to_end_hands_over(farm: Farm) -> None:
    with observed(farm, planned=True) as seen:
        farm.signal_daemon("lb1", signal.SIGTERM)
        assert farm.daemons["lb1"].wait(5) == 0
        moved(farm)

    assert seen.speakers(farm) == ["lb1", "lb2"]
    assert seen.outage_s < 0.1
    assert "10.0.0.1" not in run("ip", "-n", farm.space("lb1"), "address")


def test_whoever_takes_the_address_or_the_rules_away_gets_them_back(farm: Farm) -> None:
    with observed(farm) as seen:
        run("ip", "-n", farm.space("lb1"), "address", "delete", "10.0.0.1/24", "dev", "eth0")
        wait_for(lambda: "address restored" in farm.log("lb1"), "the address is back")
        run(*farm.enter("lb1"), "nft", "flush", "ruleset")
        wait_for(lambda: "fence restored" in farm.log("lb1"), "the rules are back")

    assert seen.speakers(farm) == ["lb1"]
    assert seen.outage_s < 0.1


def test_a_foreign_claim_is_answered(farm: Farm) -> None:
    packed = "import socket,sys;s=socket.socket(17,3,0);s.bind(('eth0',0));s.send(bytes.fromhex("
    frame = "ffffffffffff02005e0000770806000108000604000202005e0000770a000001ffffffffffff0a000001"
    with observed(farm) as seen:
        run(*farm.enter("client"), sys.executable, "-c", f"{packed}'{frame}'))")
        wait_for(lambda: "vip claimed by another" in farm.log("lb1"), "lb1 hears it")

    assert seen.speakers(farm) == ["lb1"]
    assert seen.outage_s < 0.1


def test_an_interface_that_goes_and_comes_back_is_used_again(farm: Farm) -> None:
    run("ip", "-n", farm.space("lb1"), "link", "delete", "eth0")
    moved(farm)
    farm.connect("lb1")
    wait_for(lambda: farm.status("lb1").get("healthy") is True, "lb1 is fit again")
    wait_for(lambda: farm.status("lb1").get("holder") == {"10.0.0.1": "lb2"}, "lb1 knows")

    with observed(farm) as seen:
        farm.services["lb2"].kill()
        moved(farm, "lb1")

    assert seen.speakers(farm) == ["lb2", "lb1"]
    assert seen.outage_s < OUTAGE_S
    assert farm.status("lb1")["kernel"]["families"] == ["inet", "arp", "netdev"]  # type: ignore[call-overload,index]  # JSON


def test_a_server_without_the_lease_does_not_reach_the_address_in_itself(farm: Farm) -> None:
    asked = "import socket;print(socket.create_connection(('10.0.0.1',80),0.3).getpeername())"
    argv = (*farm.enter("lb1"), sys.executable, "-c", asked)
    assert "10.0.0.1" in run(*argv)

    end(farm.daemons["lb1"])
    moved(farm)

    assert "10.0.0.1" in run("ip", "-n", farm.space("lb1"), "address")
    with pytest.raises(RuntimeError, match="timed out"):
        run(*argv)


def test_a_flood_of_rubbish_moves_nothing(farm: Farm) -> None:
    flood = (
        "import socket,time;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);t=time.time()+1\n"
        "while time.time()<t: s.sendto(b'SU'+bytes(200),('10.0.0.2',6940))"
    )
    with observed(farm) as seen:
        run(*farm.enter("client"), sys.executable, "-c", flood)

    assert seen.speakers(farm) == ["lb1"]
    assert "vip let go" not in farm.log("lb1")


def test_a_second_daemon_on_a_server_ends_before_it_touches_anything(farm: Farm) -> None:
    first = farm.daemons["lb1"]
    farm.start_daemon("lb1")
    assert farm.daemons["lb1"].wait(5) == 1
    farm.daemons["lb1"] = first

    assert "is a heartbeat running already?" in farm.log("lb1")
    assert farm.holder() == "lb1"


def test_the_watcher_can_tell_when_two_answer(farm: Farm) -> None:
    """The control: without the kernel's rules a stopped daemon's server goes on answering."""
    watcher = farm.watcher()
    farm.signal_daemon("lb1", signal.SIGSTOP)
    run(*farm.enter("lb1"), "nft", "flush", "ruleset")
    moved(farm)
    time.sleep(AFTER_S)
    sightings = watcher.stop()

    assert overlaps(sightings, LEASE_S) != []
