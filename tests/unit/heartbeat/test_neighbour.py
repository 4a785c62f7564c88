"""Unsolicited neighbour advertisements: the frames, and what is read from others'."""

import pytest

from stillup.heartbeat.neighbour import announcements, claim
from stillup.heartbeat.repeats import Claim

VIP = "fd00:10::1"
HARDWARE = bytes.fromhex("020000000001")
OTHER = bytes.fromhex("020000000002")


def test_an_advertisement_goes_to_all_nodes_from_the_address_and_overrides() -> None:
    (frame,) = announcements(VIP, HARDWARE)

    assert frame.hex() == (
        "333300000001" + "020000000001" + "86dd"
        # version; 32 bytes of ICMPv6, hop limit 255
        "60000000" + "0020" + "3a" + "ff"
        "fd000010000000000000000000000001" + "ff020000000000000000000000000001"
        # advertisement, checksum, override; target; its hardware address
        "8800" + "5a7b" + "20000000" + "fd000010000000000000000000000001" + "0201020000000001"
    )


def test_the_checksum_is_right() -> None:
    (frame,) = announcements(VIP, HARDWARE)
    data = frame[22:54] + (32).to_bytes(4, "big") + (58).to_bytes(4, "big") + frame[54:]
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))

    assert total % 0xFFFF == 0


def test_a_claim_is_what_an_advertisement_says_of_its_target() -> None:
    (frame,) = announcements(VIP, HARDWARE)

    assert claim(frame) == Claim(VIP, HARDWARE)
    assert claim(frame[:6] + OTHER + frame[12:]) == Claim(VIP, HARDWARE)
    assert claim(frame[:6] + OTHER + frame[12:78]) == Claim(VIP, OTHER)  # it tells no address


@pytest.mark.parametrize(
    ("place", "byte"),
    [(12, 0x08), (20, 17), (21, 64), (54, 135)],
    ids=["no IPv6", "no ICMPv6", "from beyond the LAN", "a solicitation"],
)
def test_nothing_else_is_a_claim(place: int, byte: int) -> None:
    (frame,) = announcements(VIP, HARDWARE)
    changed = bytearray(frame)
    changed[place] = byte

    assert claim(bytes(changed)) is None
    assert claim(frame[:77]) is None
