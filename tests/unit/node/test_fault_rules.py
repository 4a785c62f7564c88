"""How each fault begins and is undone on a server, as text."""

import subprocess
import sys

from stillup.node import fault_program, fault_rules
from stillup.node.faults import ACTIONS


def rules(script: fault_rules.Script) -> list[str]:
    lines = (line.strip() for line in script.rules.splitlines())
    return [line for line in lines if line.endswith(("drop", '"lo"'))]


def test_a_whole_cut_loses_every_frame_both_ways_in_silence() -> None:
    assert rules(fault_rules.cut("eth0", [], one_way=False)) == [
        'counter fwd to "lo"',
        "counter drop",
    ]


def test_a_cut_from_some_loses_their_arp_too() -> None:
    assert rules(fault_rules.cut("eth0", ["10.0.0.6", "10.0.0.7"], one_way=False)) == [
        'ip daddr { 10.0.0.6, 10.0.0.7 } counter fwd to "lo"',
        'arp daddr ip { 10.0.0.6, 10.0.0.7 } counter fwd to "lo"',
        "ip saddr { 10.0.0.6, 10.0.0.7 } counter drop",
        "arp saddr ip { 10.0.0.6, 10.0.0.7 } counter drop",
    ]


def test_a_one_way_cut_loses_what_the_server_sends_alone() -> None:
    assert rules(fault_rules.cut("eth0", [], one_way=True)) == ['counter fwd to "lo"']


def test_a_loss_is_a_share_of_the_frames_each_way() -> None:
    assert rules(fault_rules.loss("eth0", 30)) == [
        'numgen random mod 100 < 30 counter fwd to "lo"',
        "numgen random mod 100 < 30 counter drop",
    ]


def test_what_takes_the_way_to_the_server_is_said_before_it_comes_about() -> None:
    begin = fault_rules.cut("eth0", [], one_way=False).begin.splitlines()
    assert begin == [
        "/usr/sbin/nft --check --file /run/stillup-fault/rules.nft"
        f" || {{ echo 'error: {fault_rules.NO_RULES}' >&2; exit 1; }}",
        "systemd-notify --ready",
        "sleep 0.2",
        "/usr/sbin/nft --file /run/stillup-fault/rules.nft",
        "exec sleep infinity",
    ]


def test_what_undoes_a_fault_needs_nothing_but_a_shell() -> None:
    assert [
        fault_rules.hang(["nginx.service"]).undo,
        fault_rules.steal("program", 90, ["/system.slice/nginx.service"]).undo,
        fault_rules.slow(["mariadb.service"], "/var/lib/mysql").undo,
        fault_rules.cut("eth0", [], one_way=False).undo,
    ] == [
        "systemctl kill --signal=CONT -- nginx.service\n",
        "echo 0 >/sys/fs/cgroup/system.slice/nginx.service/cgroup.freeze || true\n",
        "systemctl set-property --runtime mariadb.service IOReadIOPSMax= IOWriteIOPSMax=\n",
        "/usr/sbin/nft delete table netdev stillup_fault 2>/dev/null || true\n",
    ]


def test_every_action_that_a_server_does_for_itself_is_known() -> None:
    assert sorted(ACTIONS) == [
        *("busy-cpu", "cut", "full-disk", "hang", "kill", "loss"),
        *("power-off", "reboot", "slow-disk"),
    ]


def test_the_program_of_a_fault_runs_without_the_rest() -> None:
    ran = subprocess.run(
        [sys.executable, "-I", "-S", fault_program.__file__],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == "usage: fault_program fill FOLDER... | steal PERCENT GROUP...\n"
