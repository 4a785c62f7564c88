"""Gratuitous ARP: the frames, and how often."""

from stillup.heartbeat.arp import announcements, claim
from stillup.heartbeat.repeats import DEFEND_S, REFRESH_S, REPEATS_S, Claim, Repeats, spoken

VIP = "10.0.0.1"
HARDWARE = bytes.fromhex("020000000001")


def test_an_announcement_is_a_request_and_a_reply_with_the_address_as_sender_and_target() -> None:
    asked, told = announcements(VIP, HARDWARE)

    assert asked.hex() == (
        "ffffffffffff020000000001080600010800060400010200000000010a0000010000000000000a000001"
    )
    assert told.hex() == (
        "ffffffffffff020000000001080600010800060400020200000000010a000001ffffffffffff0a000001"
    )


def test_a_claim_is_read_from_any_arp_over_ipv4_and_nothing_else() -> None:
    frame = announcements(VIP, HARDWARE)[0]

    assert claim(frame + b"\0" * 18) == Claim(VIP, HARDWARE)
    assert claim(frame[:41]) is None
    assert claim(frame[:12] + b"\x08\x00" + frame[14:]) is None
    assert spoken(HARDWARE) == "02:00:00:00:00:01"


def test_announcements_come_at_once_then_ever_more_seldom_then_for_ever() -> None:
    repeats = Repeats()
    repeats.begin(100.0)
    due = []
    for _ in range(len(REPEATS_S) + 2):
        assert repeats.due_s is not None
        due.append(round(repeats.due_s - 100.0, 3))
        repeats.announced(repeats.due_s)

    last = REPEATS_S[-1]
    assert due == [*REPEATS_S, last + REFRESH_S, last + 2 * REFRESH_S]


def test_a_foreign_claim_is_answered_at_once_but_a_flood_of_them_is_not() -> None:
    repeats = Repeats()
    repeats.begin(100.0)
    repeats.announced(100.0)

    assert not repeats.defend(100.0 + DEFEND_S / 2)
    assert repeats.defend(100.0 + 2 * DEFEND_S)
    assert repeats.due_s == 100.0 + 2 * DEFEND_S


def test_who_does_not_hold_the_address_does_not_defend_it() -> None:
    repeats = Repeats()
    assert not repeats.defend(100.0)
    repeats.begin(100.0)
    repeats.end()

    assert not repeats.defend(200.0)
    assert repeats.due_s is None
