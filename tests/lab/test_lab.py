"""The lab itself: real machines, real faults, and nothing left behind."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from tests.lab.running import RunningLab

from stillup.lab import cgroup, machine
from stillup.lab.state import LABS

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def footprint() -> dict[str, list[str]]:
    """Return what of this host a lab could have changed, or left behind."""
    say = {
        "links": ["ip", "-brief", "link"],
        "addresses": ["ip", "-brief", "address"],
        "routes": ["ip", "route", "show", "table", "all"],
        "rules": ["ip", "rule"],
        "filters": ["nft", "list", "ruleset"],
        "namespaces": ["ip", "netns"],
    }
    told = {
        name: subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
        for name, words in say.items()
    }
    # The farms of the tests in network namespaces come and go meanwhile; the lab names none.
    told["namespaces"] = [name for name in told["namespaces"] if not name.startswith("hb")]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    told["mounts"] = [line for line in mounts if re.search(r" /(var|run)/\S*stillup", line)]
    return told


def answers(address: str) -> bool:
    """Say whether anybody listens at an address like http://127.0.0.1:8080/."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", int(address.split(":")[2].strip("/")))) == 0


def is_gone(running: RunningLab) -> bool:
    return left_of(running) == []


def left_of(running: RunningLab) -> list[Path]:
    group = cgroup.group_of(running.lab.home.id)
    files = [path for path in LABS.glob("*") if running.lab.home.id in path.name]
    return [*([group] if group.exists() else []), *files]


def test_a_lab_changes_nothing_of_the_host_and_leaves_nothing_behind(small: RunningLab) -> None:
    before = footprint()
    small.lab.up()
    during, forwards = footprint(), small.lab.forwards()
    assert small.reaches("10.0.0.2")
    assert [answers(address) for address in forwards] == [True, True]
    small.lab.down()
    assert during == before
    assert footprint() == before
    assert [answers(address) for address in forwards] == [False, False]
    assert is_gone(small)


@pytest.mark.parametrize("after_s", [0.1, 0.25, 0.4, 0.6, 0.9, 1.3, 1.8])
def test_lab_up_killed_at_any_point_is_finished_by_the_next(
    small: RunningLab, after_s: float
) -> None:
    before = footprint()
    command = subprocess.Popen(
        small.command("lab", "up", "--no-apply"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    # No event marks the moments to be tried: they are spread over the time that it takes.
    time.sleep(after_s)
    command.kill()
    command.communicate()
    small.stillup("lab", "up", "--no-apply")
    assert small.reaches("10.0.0.2")
    assert small.reaches("10.0.0.3")
    assert small.stillup("lab", "shell", "two", "hostname").stdout == "two\n"
    small.stillup("lab", "down")
    assert is_gone(small)
    assert footprint() == before


@pytest.mark.parametrize("after_s", [0.2, 0.5, 0.9, 1.3])
def test_lab_down_after_a_killed_lab_up_leaves_nothing(small: RunningLab, after_s: float) -> None:
    before = footprint()
    command = subprocess.Popen(
        small.command("lab", "up", "--no-apply"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(after_s)
    command.kill()
    command.communicate()
    small.stillup("lab", "down")
    assert is_gone(small)
    assert footprint() == before


def test_lab_down_works_when_the_farm_file_is_gone(small: RunningLab) -> None:
    small.lab.up(["one"])
    small.farm_path.unlink()
    small.stillup("lab", "down")
    assert is_gone(small)


def test_two_labs_with_the_same_addresses_do_not_disturb_each_other(
    small: RunningLab, other: RunningLab
) -> None:
    small.lab.up(["one"])
    other.lab.up(["one"])
    for running, word in ((small, "small"), (other, "other")):
        running.shell("one", f"echo {word} >/root/whose")
    assert small.stillup("lab", "shell", "one", "cat /root/whose").stdout == "small\n"
    assert other.stillup("lab", "shell", "one", "cat /root/whose").stdout == "other\n"
    assert set(small.lab.forwards()).isdisjoint(other.lab.forwards())
    small.lab.down()
    assert other.reaches("10.0.0.2")


def test_a_machine_without_power_is_silent_and_comes_back_with_its_disk(lab: RunningLab) -> None:
    lab.shell("web1", "echo kept >/root/note; ip address add 10.0.0.99/32 dev lo; sync")
    assert lab.reaches("10.0.0.4")
    lab.stillup("lab", "power", "off", "web1")
    assert not lab.reaches("10.0.0.4")
    assert machine.init(lab.lab.home, "web1") is None
    lab.stillup("lab", "power", "on", "web1")
    assert lab.reaches("10.0.0.4")
    assert lab.shell("web1", "cat /root/note") == "kept\n"
    # What only the kernel knew died with the power.
    assert "10.0.0.99" not in lab.shell("web1", "ip -brief address")


def test_a_machine_that_reboots_comes_back_by_itself(lab: RunningLab) -> None:
    before = machine.init(lab.lab.home, "web2")
    lab.shell("web2", "nft add table inet left; systemctl reboot")
    until = time.monotonic() + 30
    while machine.init(lab.lab.home, "web2") in (before, None) and time.monotonic() < until:
        time.sleep(0.05)
    lab.lab.up(["web2"])
    assert lab.reaches("10.0.0.5")
    assert machine.init(lab.lab.home, "web2") != before
    assert "inet left" not in lab.shell("web2", "nft list tables")


def test_a_pulled_cable_is_seen_and_healed(lab: RunningLab) -> None:
    lab.stillup("lab", "cut", "web1")
    assert lab.shell("web1", "cat /sys/class/net/eth0/carrier") == "0\n"
    assert not lab.reaches("10.0.0.4")
    assert cut_of(lab, "web1") == "cable pulled"
    lab.stillup("lab", "heal", "web1")
    assert lab.shell("web1", "cat /sys/class/net/eth0/carrier") == "1\n"
    assert lab.reaches("10.0.0.4")


def test_a_silent_cut_keeps_the_carrier(lab: RunningLab) -> None:
    lab.stillup("lab", "cut", "web1", "--silent")
    assert lab.shell("web1", "cat /sys/class/net/eth0/carrier") == "1\n"
    assert not lab.reaches("10.0.0.4")
    lab.stillup("lab", "heal")
    assert lab.reaches("10.0.0.4")


def test_a_cut_from_one_server_leaves_the_others(lab: RunningLab) -> None:
    lab.stillup("lab", "cut", "web1", "--from", "web2")
    assert lab.reaches("10.0.0.4")
    assert "0 received" in lab.shell("web2", "ping -c1 -W1 10.0.0.4", check=False)
    assert "1 received" in lab.shell("web3", "ping -c1 -W1 10.0.0.4")


def test_a_cut_one_way_loses_what_the_server_sends(lab: RunningLab) -> None:
    def heard_by_web1() -> int:
        return int(lab.shell("web1", "cat /sys/class/net/eth0/statistics/rx_packets"))

    lab.stillup("lab", "cut", "web1", "--one-way")
    before = heard_by_web1()
    assert not lab.reaches("10.0.0.4")
    assert heard_by_web1() > before


def test_a_cut_outlives_the_power(lab: RunningLab) -> None:
    lab.stillup("lab", "cut", "web1")
    lab.stillup("lab", "power", "off", "web1")
    lab.stillup("lab", "power", "on", "web1")
    assert lab.shell("web1", "cat /sys/class/net/eth0/carrier") == "0\n"
    assert not lab.reaches("10.0.0.4")


def cut_of(lab: RunningLab, name: str) -> object:
    told = json.loads(lab.stillup("lab", "status", "--json").stdout)
    return next(machine["cut"] for machine in told["machines"] if machine["name"] == name)


def test_a_dead_switch_is_replaced(small: RunningLab) -> None:
    small.lab.up()
    (keeper,) = cgroup.processes(cgroup.group_of(small.lab.home.id) / "switch")
    os.kill(keeper, signal.SIGKILL)
    small.stillup("lab", "up", "--no-apply")
    assert small.reaches("10.0.0.2")
    assert small.reaches("10.0.0.3")


def test_the_forwarder_leads_to_whoever_has_the_virtual_ip(small: RunningLab) -> None:
    small.lab.up()
    page = "python3 -m http.server --bind 10.0.0.1 80 --directory /etc/hostname.d"
    address = small.lab.forwards()[0]
    for name in ("one", "two"):
        small.shell(
            name,
            "mkdir -p /etc/hostname.d; hostname >/etc/hostname.d/index.html;"
            f" ip address add 10.0.0.1/24 dev eth0; systemd-run --quiet {page};"
            " until curl -sf http://10.0.0.1/ >/dev/null; do :; done",
        )
        # The farm's heartbeat announces a moved address; here nobody does.
        small.client("ip", "neighbour", "flush", "all")
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert answer.read() == f"{name}\n".encode()
        small.stillup("lab", "power", "off", name)
    small.lab.down()
    assert not answers(address)


def test_a_server_that_left_the_farm_file_is_removed(small: RunningLab) -> None:
    small.lab.up()
    text = small.farm_path.read_text()
    small.farm_path.write_text(text.replace("two = {", "new = {"))
    small.stillup("lab", "up", "--no-apply")
    assert small.stillup("lab", "shell", "new", "hostname").stdout == "new\n"
    assert small.lab.home.machines() == ["new", "one"]


def test_a_server_with_a_new_address_boots_with_it_and_its_disk(small: RunningLab) -> None:
    small.lab.up()
    small.shell("two", "echo kept >/root/note; sync")
    text = small.farm_path.read_text()
    small.farm_path.write_text(text.replace("10.0.0.3", "10.0.0.9"))
    small.stillup("lab", "up", "--no-apply")
    assert small.stillup("lab", "shell", "two", "cat /root/note").stdout == "kept\n"
    assert not small.reaches("10.0.0.3")


def test_a_second_command_waits_and_says_for_what(small: RunningLab) -> None:
    first = subprocess.Popen(small.command("lab", "up", "--no-apply"), stderr=subprocess.PIPE)
    assert first.stderr is not None
    first.stderr.readline()  # "one is up": it holds the lock
    second = small.stillup("lab", "heal")
    first.communicate()
    assert first.returncode == 0
    assert second.returncode == 0


def test_a_command_without_a_lab_says_the_way_out(small: RunningLab) -> None:
    refused = small.stillup("lab", "power", "off", "one", check=False)
    assert refused.returncode == 1
    assert refused.stderr == "stillup: this farm's lab is not up; `stillup lab up` starts it\n"


def test_the_ssh_host_keys_are_strict(small: RunningLab) -> None:
    small.lab.up(["one"])
    small.shell("one", "rm /etc/ssh/ssh_host_*; ssh-keygen -A; systemctl restart ssh")
    refused = small.stillup("lab", "shell", "one", "true", check=False)
    assert refused.returncode != 0
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in refused.stderr


def test_ctrl_c_ends_a_wait_at_once(small: RunningLab) -> None:
    small.lab.up(["one"])
    small.shell("one", "systemctl mask ssh.service ssh.socket; sync")
    small.lab.power("one", on=False)
    waiting = subprocess.Popen(
        small.command("lab", "up", "one"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 30
    while machine.init(small.lab.home, "one") is None and time.monotonic() < until:
        time.sleep(0.05)
    assert waiting.poll() is None
    began = time.monotonic()
    waiting.send_signal(signal.SIGINT)
    _, told = waiting.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert waiting.returncode == 130
    assert told == "stillup: stopped\n"


def test_a_machine_that_dies_while_booting_is_said_with_its_last_words(small: RunningLab) -> None:
    small.lab.up(["one"])
    small.shell("one", "ln -sf /bin/false /usr/lib/systemd/systemd; sync")
    small.lab.power("one", on=False)
    refused = small.stillup("lab", "power", "on", "one", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("stillup: one did not boot: ")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("after_s", [0.15, 0.2, 0.25, 0.3, 0.4])
def test_lab_down_killed_at_any_point_is_finished_by_the_next(
    small: RunningLab, after_s: float
) -> None:
    before = footprint()
    small.lab.up(["one"])
    command = subprocess.Popen(small.command("lab", "down"), stderr=subprocess.PIPE)
    time.sleep(after_s)
    command.kill()
    command.communicate()
    small.stillup("lab", "down")
    assert left_of(small) == []
    assert footprint() == before


def test_after_a_reboot_of_the_host_the_machines_boot_from_their_disks(small: RunningLab) -> None:
    small.lab.up()
    small.shell("one", "echo kept >/root/note; sync")
    # What a reboot leaves of a lab is its folder.
    cgroup.kill(cgroup.group_of(small.lab.home.id))
    told = small.stillup("lab", "shell", "one", "true", check=False)
    assert told.stderr == "stillup: this farm's lab is not up; `stillup lab up` starts it\n"
    small.stillup("lab", "up", "--no-apply")
    assert small.shell("one", "cat /root/note") == "kept\n"
    assert small.reaches("10.0.0.3")
