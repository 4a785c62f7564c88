"""The faults of a drill on real machines: that they come about, seen from outside, and undo themselves.

The controller that began a fault is killed with -9 as soon as it was told that it has begun, its
connection with it. Two bare machines with a disk of their own are enough: what is hung is nginx as
Debian has it.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from tests.lab.running import ROOT, SMALL, RunningLab, copy_of, lab_of

pytestmark = [pytest.mark.lab, pytest.mark.apart]

LASTS_S = 4
LONG_S = 60
"""Where several commands look at it, on a machine that may be slow; it is ended by hand."""
SLACK_S = 10.0
"""What runs tests may be slow: a fault is over so long after its time at the latest."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    folder = tmp_path_factory.mktemp("faults")
    with lab_of(copy_of(SMALL, folder)) as running:
        running.lab.up(own_disks=True)
        running.shell("one", "systemctl start nginx")
        yield running


def begin(lab: RunningLab, action: str, seconds: float = LASTS_S, **more: object) -> str:
    """Begin a fault at ``one``, kill who did, and return what the server said."""
    arguments = json.dumps(
        {"action": action, "seconds": seconds, "address": "10.0.0.2", "units": ["nginx.service"]}
        | more
    )
    words = [sys.executable, "-m", "tests.lab.faulting", str(lab.farm_path), "one", arguments]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout is not None
        told = json.loads(controller.stdout.readline())
        controller.kill()
    time.sleep(float(told.get("in_s", 0.0)))
    return str(told.get("told") or told["error"])


def undone_after_s(is_undone: Callable[[], bool], began_s: float) -> float:
    """Wait until a fault is undone; return how long it lasted."""
    while not is_undone():
        assert time.monotonic() < began_s + LASTS_S + 60
        time.sleep(0.05)
    return time.monotonic() - began_s


def end(lab: RunningLab) -> None:
    lab.shell("one", "systemctl stop stillup-fault.service")


def answers(lab: RunningLab) -> bool:
    done = lab.client("curl", "-sf", "-o", "/dev/null", "-m", "1", "http://10.0.0.2/", check=False)
    return done.returncode == 0


def lost(lab: RunningLab, address: str, count: int = 400) -> int:
    """Return how many of ``count`` pings were not answered."""
    told = lab.client("ping", "-q", "-i0.01", f"-c{count}", "-W1", address, check=False).stdout
    return count - int(told.split(" packets transmitted, ")[1].split()[0])


def test_a_hung_engine_does_not_answer_until_its_time_is_over(lab: RunningLab) -> None:
    assert answers(lab)
    assert begin(lab, "hang").startswith("stopped nginx.service (")
    began_s = time.monotonic()
    assert not answers(lab)
    assert LASTS_S - 1 < undone_after_s(lambda: answers(lab), began_s) < LASTS_S + SLACK_S


def test_there_is_one_fault_at_a_time(lab: RunningLab) -> None:
    begin(lab, "hang")
    began_s = time.monotonic()
    assert "a fault is under way on this server already" in begin(lab, "kill")
    undone_after_s(lambda: answers(lab), began_s)


def test_a_fault_whose_own_processes_are_killed_is_undone(lab: RunningLab) -> None:
    begin(lab, "busy-cpu")
    began_s = time.monotonic()
    lab.shell("one", "systemctl kill --signal=KILL stillup-fault.service")
    frozen = "cat /sys/fs/cgroup/system.slice/nginx.service/cgroup.freeze"
    lasted_s = undone_after_s(lambda: lab.shell("one", frozen) == "0\n", began_s)
    assert lasted_s < LASTS_S + SLACK_S
    undone_after_s(lambda: begin(lab, "kill").startswith("killed"), began_s)
    lab.shell("one", "systemctl restart nginx")


@pytest.mark.long
def test_a_busy_processor_slows_every_answer(lab: RunningLab) -> None:
    assert begin(lab, "busy-cpu") == "90 % of the time is taken from 1 units"
    ends_s = time.monotonic() + LASTS_S - 1
    told = "%{time_total}\\n"
    took: list[float] = []
    while time.monotonic() < ends_s:
        done = lab.client("curl", "-s", "-o", "/dev/null", "-w", told, "http://10.0.0.2/")
        took.append(float(done.stdout))
    # It runs 10 ms of each 100: who comes at any time waits 40 ms on the average.
    assert sum(took) / len(took) > 0.02
    undone_after_s(lambda: "killed" in begin(lab, "kill"), time.monotonic())
    lab.shell("one", "systemctl restart nginx")


def test_a_killed_engine_is_gone_at_once(lab: RunningLab) -> None:
    assert begin(lab, "kill").startswith("killed nginx.service (")
    assert not answers(lab)
    assert "nothing of nginx.service runs" in begin(lab, "kill")
    lab.shell("one", "systemctl restart nginx")


def test_a_full_disk_refuses_what_root_writes_and_that_of_the_other_machine_does_not(
    lab: RunningLab,
) -> None:
    write = (
        "dd if=/dev/zero of=/var/lib/try bs=64k count=1 conv=fsync 2>&1 || true; rm -f /var/lib/try"
    )
    assert begin(lab, "full-disk", LONG_S) == "no byte is free below /"
    assert "No space left on device" in lab.shell("one", write)
    assert "No space left on device" not in lab.shell("two", write)
    end(lab)
    assert "No space left on device" not in lab.shell("one", write)


def test_a_loss_is_about_its_share_each_way(lab: RunningLab) -> None:
    begin(lab, "loss", LONG_S, percent=30)
    # There and back: 1 - 0.7 * 0.7 of 400, give or take five standard deviations.
    assert 154 < lost(lab, "10.0.0.2") < 254
    assert lost(lab, "10.0.0.3", 100) == 0
    end(lab)
    assert lost(lab, "10.0.0.2", 100) == 0


def test_a_server_cut_off_is_silent_until_its_time_is_over(lab: RunningLab) -> None:
    assert begin(lab, "cut") == "cut eth0"
    began_s = time.monotonic()
    assert not lab.reaches("10.0.0.2")
    lasted_s = undone_after_s(lambda: lab.reaches("10.0.0.2"), began_s)
    assert LASTS_S - 1 < lasted_s < LASTS_S + SLACK_S


@pytest.mark.long
def test_a_server_cut_off_from_one_is_reached_by_the_others(lab: RunningLab) -> None:
    begin(lab, "cut", LONG_S, others=["10.0.0.3"])
    to_two = "ping -qc1 -W1 10.0.0.3 >/dev/null && echo reached || true"
    assert lab.shell("one", to_two) == ""
    assert lab.reaches("10.0.0.2")
    end(lab)
    assert lab.shell("one", to_two) == "reached\n"


@pytest.mark.long
def test_a_reboot_is_another_boot(lab: RunningLab) -> None:
    look = "cat /proc/sys/kernel/random/boot_id 2>&1"
    before = lab.shell("one", look)
    assert begin(lab, "reboot") == "reboots in order"
    undone_after_s(
        lambda: lab.shell("one", look, check=False) not in {before, ""}, time.monotonic()
    )
    lab.lab.power("one", on=True)
    lab.shell("one", "systemctl start nginx")


def test_what_a_container_must_not_or_cannot_do_is_said(lab: RunningLab) -> None:
    assert begin(lab, "power-off") == "one: a container has no power of its own to lose"
    assert "no disk can be slowed here" in begin(lab, "slow-disk")


def test_power_comes_back_though_the_command_is_killed(lab: RunningLab) -> None:
    words = lab.command("lab", "power", "off", "two", "--for", f"{LASTS_S}s")
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as command:
        began_s = time.monotonic()
        while lab.reaches("10.0.0.3"):
            assert time.monotonic() < began_s + 20
        command.kill()
    lasted_s = undone_after_s(lambda: lab.reaches("10.0.0.3"), began_s)
    assert lasted_s > LASTS_S - 1
    assert {machine.name: machine.on for machine in lab.lab.state()} == {"one": True, "two": True}


def test_a_cut_for_a_time_takes_back_itself_alone(lab: RunningLab) -> None:
    lab.lab.cut("two", silent=True, others=["client"])
    lab.stillup("lab", "cut", "one", "--silent", "--for", "15s")
    began_s = time.monotonic()
    assert not lab.reaches("10.0.0.2")
    undone_after_s(lambda: lab.reaches("10.0.0.2"), began_s)
    assert not lab.reaches("10.0.0.3")
    lab.lab.heal()
    assert lab.reaches("10.0.0.3")


@pytest.mark.long
def test_a_plug_that_is_put_back_by_hand_stays(lab: RunningLab) -> None:
    lab.stillup("lab", "power", "off", "two", "--for", "60s")
    lab.stillup("lab", "power", "on", "two")
    lab.stillup("lab", "power", "off", "two")
    time.sleep(1)
    assert [machine.on for machine in lab.lab.state()] == [True, False]
    lab.lab.power("two", on=True)
