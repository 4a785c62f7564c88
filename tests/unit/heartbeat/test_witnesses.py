"""The witnesses of the fault tests themselves: the watcher on the wire and the client."""

import socket

from tests.asker import Asked, longest_outage_s, outages
from tests.wire import Sighting, Turn, overlaps, turns

from stillup.drill.listener.frames import question, sighting
from stillup.heartbeat.neighbour import announcements

VIP = socket.inet_aton("10.0.0.1")
ASKER = bytes.fromhex("02005e000001")
VIP6 = socket.inet_pton(socket.AF_INET6, "fd00:10::1")


def seen(at_s: float, hardware: str) -> Sighting:
    return Sighting(at_s, "reply", hardware, "port")


def test_a_move_is_two_turns_and_no_overlap() -> None:
    sightings = [seen(0.0, "a"), seen(0.1, "a"), seen(0.6, "b"), seen(0.7, "b")]

    assert turns(sightings) == [Turn("a", 0.0, 0.1), Turn("b", 0.6, 0.7)]
    assert overlaps(sightings, 0.5) == []


def test_one_word_of_the_former_speaker_after_a_move_is_an_overlap() -> None:
    sightings = [seen(0.0, "a"), seen(0.1, "b"), seen(0.2, "a"), seen(0.9, "b")]

    assert overlaps(sightings, 0.5) == [Turn("a", 0.2, 0.2)]


def test_what_speaks_for_the_address_is_told_apart_from_what_asks_for_it() -> None:
    asked = question(VIP, socket.inet_aton("10.0.0.253"), ASKER)
    answered = asked[:20] + b"\0\2" + asked[22:28] + VIP + asked[32:]
    announced = asked[:28] + VIP + asked[32:]
    packet = asked[:12] + b"\x08\x00" + b"\0" * 12 + VIP + b"\0" * 20

    assert sighting(asked, VIP) is None
    assert sighting(answered[:38] + b"\0\0\0\0", VIP) == ("reply", "02:00:5e:00:00:01")
    assert sighting(announced, VIP) == ("announcement", "02:00:5e:00:00:01")
    assert sighting(packet, VIP) == ("packet", "02:00:5e:00:00:01")


def test_what_speaks_for_an_ipv6_address_is_told_apart_too() -> None:
    hardware = bytes.fromhex("020000000001")
    (announced,) = announcements("fd00:10::1", hardware)
    told = announced[:38] + VIP6 + announced[54:]
    asked = question(VIP6, VIP6[:-1] + b"\xfd", ASKER)
    packet = asked[:22] + VIP6 + asked[38:54] + b"\x80" + asked[55:]

    assert sighting(announced, VIP6) == ("announcement", "02:00:00:00:00:01")
    assert sighting(told, VIP6) == ("reply", "02:00:00:00:00:01")
    assert sighting(asked, VIP6) is None
    assert sighting(asked[:22] + VIP6 + asked[38:], VIP6) == ("request", "02:00:5e:00:00:01")
    assert sighting(packet, VIP6) == ("packet", "02:00:5e:00:00:01")


def test_an_outage_is_the_time_between_two_good_answers() -> None:
    asked = [Asked(0.0, 0.1, ""), Asked(0.2, 0.3, "no answer"), Asked(0.9, 0.1, "")]

    assert [(each.from_s, each.to_s) for each in outages(asked)] == [(0.1, 1.0)]
    assert longest_outage_s(asked) == 0.9
    assert longest_outage_s(asked[:1]) == float("inf")
