"""The small pure parts of the daemon: rules, filters, lateness, log lines, history, memory."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from stillup.heartbeat import memory
from stillup.heartbeat.journal import Journal, line
from stillup.heartbeat.lateness import WINDOW_S, Lateness
from stillup.heartbeat.packet_filter import Step, assembled, claims, datagrams
from stillup.heartbeat.report import MOVES, History, Move
from stillup.heartbeat.ruleset import interface_rules, rules, without

LOADS = {0x20, 0x28, 0x30}
VIP = 0x0A000001


def lets_in(steps: Iterable[Step], loads: Mapping[int, int]) -> bool:
    """Run a filter as the kernel would; ``loads`` is what the packet has at each place."""
    program, place, accumulator = list(steps), 0, 0
    while program[place].code != 0x06:
        step = program[place]
        place += 1
        if step.code in LOADS:
            accumulator = loads[step.value]
        else:
            place += step.if_so if accumulator == step.value else step.if_not
    return program[place].value != 0


@pytest.mark.parametrize(
    ("kind", "sender", "is_in"), [(1, VIP, True), (4, VIP, False), (1, VIP + 1, False)]
)
def test_only_foreign_claims_of_the_address_are_heard(kind: int, sender: int, is_in: bool) -> None:  # noqa: FBT001
    assert lets_in(claims("10.0.0.1"), {0xFFFFF004: kind, 28: sender}) == is_in


SIXTH = {0xFFFFF004: 0, 20: 58, 54: 136, 62: 0xFD000010, 66: 0, 70: 0, 74: 1}


@pytest.mark.parametrize(
    ("changed", "is_in"),
    [({}, True), *(({place: 7}, False) for place in SIXTH if place != 0xFFFFF004)],
)
def test_only_advertisements_of_the_ipv6_address_are_heard(
    changed: dict[int, int],
    is_in: bool,  # noqa: FBT001
) -> None:
    assert lets_in(claims("fd00:10::1"), {**SIXTH, **changed}) == is_in
    assert not lets_in(claims("fd00:10::1"), {**SIXTH, 0xFFFFF004: 4})


def test_a_mailbox_takes_our_own_datagrams_from_its_own_server_only() -> None:
    steps = datagrams(b"SU", "10.0.0.2")

    assert lets_in(steps, {8: 0x5355, 0xFFF0000C: 0x0A000002})
    assert not lets_in(steps, {8: 0x5356, 0xFFF0000C: 0x0A000002})
    assert not lets_in(steps, {8: 0x5355, 0xFFF0000C: 0x0A000003})
    assert len(assembled(steps)) == 8 * len(steps)


FENCING = ("incoming", "outgoing", "asked", "claimed")


def fence(address: str) -> list[str]:
    """The rules in the chains that hold a server to its lease, as ``CHAIN RULE``."""
    said = f"{rules(address)}\n{interface_rules(address, 'eth0')}".splitlines()
    found = [each.split(maxsplit=4)[4] for each in said if each.startswith("add rule")]
    return [each for each in found if each.startswith(FENCING)]


def test_every_rule_of_the_fence_drops_what_is_not_in_the_lease() -> None:
    said = fence("10.0.0.1")

    assert len(said) == 5
    assert all("10.0.0.1" in each and "!= @lease" in each for each in said)
    assert all(each.endswith("counter drop") for each in said)
    # Open connections go on without one; nobody on the LAN is told of that.
    assert [each.split()[0] for each in said if "@open" in each] == ["incoming", "outgoing"]


def test_an_ipv6_address_has_sets_of_its_kind_and_no_arp() -> None:
    said = f"{rules('fd00:10::1')}\n{interface_rules('fd00:10::1', 'eth0')}"

    assert "add set inet stillup_vip_fd00_10__1 lease { type ipv6_addr; flags timeout; }" in said
    assert "arp" not in said
    assert fence("fd00:10::1") == [
        "incoming ip6 daddr fd00:10::1 ip6 daddr != @lease ip6 daddr != @open counter drop",
        "outgoing ip6 saddr fd00:10::1 ip6 saddr != @lease ip6 saddr != @open counter drop",
        "outgoing icmpv6 type nd-neighbor-advert @th,64,128 "
        "0xfd000010000000000000000000000001 ip6 saddr != fd00:10::1 counter drop",
        "claimed icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } "
        "ip6 saddr fd00:10::1 ip6 saddr != @lease counter drop",
        "claimed icmpv6 type nd-neighbor-advert @th,64,128 "
        "0xfd000010000000000000000000000001 ip6 saddr != fd00:10::1 counter drop",
    ]


def test_rules_can_be_made_twice_and_never_empty_a_set() -> None:
    words = [each.split()[0] for each in rules("10.0.0.1").splitlines()]

    assert set(words) == {"add", "flush"}
    assert "flush set" not in rules("10.0.0.1")
    assert without("old", "netdev") == "add table netdev old\ndelete table netdev old"


def test_lateness_is_kept_for_ever_and_for_the_last_minutes() -> None:
    late = Lateness()
    late.add(0.3, 1000.0)
    late.add(0.1, 1001.0)
    assert (late.longest_s, late.recent_s) == (0.3, 0.3)

    late.add(0.02, 1000.0 + WINDOW_S)
    assert late.recent_s == 0.3
    late.add(0.01, 1000.0 + 2 * WINDOW_S)

    assert (late.longest_s, late.recent_s) == (0.3, 0.02)


def test_lateness_of_long_ago_is_not_recent() -> None:
    late = Lateness()
    late.add(0.3, 1000.0)
    late.add(0.01, 1000.0 + 5 * WINDOW_S)

    assert late.recent_s == 0.01


def test_a_log_line_has_fixed_words_first_and_quotes_what_has_spaces() -> None:
    said = line("vip acquired", {"address": "10.0.0.1", "after": 0.31234, "reason": 'a "b"\nc'})

    assert said == "vip acquired address=10.0.0.1 after=0.312 reason=\"a 'b' c\""


def test_a_flood_of_one_kind_of_event_is_one_line_with_a_count(tmp_path: Path) -> None:
    now_s = [100.0]
    with (tmp_path / "log").open("w+b") as file:
        journal = Journal(lambda: now_s[0], file.fileno())
        for _ in range(50):
            journal.rarely("datagram refused", {"source": "10.0.0.9"})
        now_s[0] += 5.0
        journal.rarely("datagram refused", {"source": "10.0.0.9"})
        file.seek(0)

        assert file.read().decode().splitlines() == [
            "datagram refused source=10.0.0.9",
            "datagram refused source=10.0.0.9 more=49",
        ]


@pytest.mark.timeout(20)
def test_who_does_not_read_the_log_is_not_waited_for() -> None:
    reader, writer = os.pipe()
    journal = Journal(lambda: 0.0, writer)
    for number in range(10_000):
        journal("vip held", {"number": number})

    assert os.read(reader, 1_000_000).startswith(b"vip held number=0\n")
    journal("vip vacant", {})
    assert b"vip vacant lines_dropped=" in os.read(reader, 65_536)
    os.close(reader)
    os.close(writer)


def test_the_history_keeps_the_last_moves_and_says_how_long_each_state_lasted() -> None:
    history = History(100.0)
    lasted = [
        history.add(Move(0.0, "lb1", f"{number}.lb1", "it has enough votes"), 100.0 + number)
        for number in range(1, MOVES + 6)
    ]

    assert lasted == [1.0] * (MOVES + 5)
    assert len(history.moves) == MOVES
    assert history.moves[-1].ballot == f"{MOVES + 5}.lb1"


def test_a_voter_is_silent_for_the_longest_lease_of_its_earlier_lives(tmp_path: Path) -> None:
    assert memory.silence_s(tmp_path, 2.0) == 2.0
    assert memory.silence_s(tmp_path, 0.5) == 2.0
    assert memory.silence_s(tmp_path, 0.5) == 2.0  # the last life did not outlive its silence
    memory.remember(tmp_path, 0.5)
    assert memory.silence_s(tmp_path, 0.5) == 0.5
    assert memory.silence_s(None, 0.5) == 0.5


def test_a_memory_that_cannot_be_read_or_written_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / memory.FILE).write_text("rubbish")

    assert memory.silence_s(tmp_path, 0.5) == 0.5
    assert memory.silence_s(tmp_path / "none", 0.5) == 0.5


def test_moves_outlive_the_daemon(tmp_path: Path) -> None:
    seen = [Move(1.5, "lb1", "1.lb1", "it has enough votes"), Move(2.5, None, None, "let go")]
    memory.remember_moves(tmp_path, {"10.0.0.1": seen, "10.0.0.7": []})
    assert memory.moves(tmp_path, "10.0.0.1") == seen
    assert memory.moves(tmp_path, "10.0.0.7") == memory.moves(tmp_path, "10.0.0.8") == []
    assert [path.name for path in tmp_path.iterdir()] == ["moves.json"]


@pytest.mark.parametrize("text", ["", "[]", '{"10.0.0.1": 3}', '{"10.0.0.1": [[1]]}'])
def test_moves_that_cannot_be_read_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / memory.MOVES_FILE).write_text(text)
    assert memory.moves(tmp_path, "10.0.0.1") == []
