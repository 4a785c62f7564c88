"""Sealed datagrams: believed only when fresh, for us, from a peer, of this farm."""

import hmac
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.messages import Hello, Message, Propose
from stillup.heartbeat.seal import NotOpened, Opened, Rejected, Seal

NAMES = ("lb1", "lb2", "web1")
FARM = b"farm-one"
KEY, NEW_KEY = b"k" * 32, b"n" * 32
LIVES = {"lb1": 111, "lb2": 222, "web1": 333}
VIP = "10.0.0.1"
MESSAGE = Propose(Ballot(1, 111, "lb1"), 1)


def seal(
    name: str,
    *,
    life: int | None = None,
    keys: dict[int, bytes] | None = None,
    farm: bytes = FARM,
    names: tuple[str, ...] = NAMES,
) -> Seal:
    peers = frozenset(names) - {name}
    return Seal(name, peers, life or LIVES[name], farm, keys or {1: KEY})


def introduce(sender: Seal, receiver: Seal, to: str = "lb2") -> None:
    """Let the sender learn the receiver's word, as happens on first contact."""
    answer = answered(receiver.open(sender.close(to, Hello(fit=True))))
    assert why(sender.open(answer)) is Rejected.INTRODUCTION


def answered(result: Opened | NotOpened) -> bytes:
    assert isinstance(result, NotOpened)
    assert result.answer is not None
    return result.answer


def why(result: Opened | NotOpened) -> Rejected:
    assert isinstance(result, NotOpened), result
    return result.reason


@pytest.fixture
def lb1() -> Seal:
    return seal("lb1")


@pytest.fixture
def lb2(lb1: Seal) -> Seal:
    made = seal("lb2")
    introduce(lb1, made)
    return made


def test_a_message_is_believed_once(lb1: Seal, lb2: Seal) -> None:
    data = lb1.close("lb2", MESSAGE)
    assert lb2.open(data) == Opened("lb1", MESSAGE)
    assert lb2.open(data) == NotOpened(Rejected.REPLAYED, "lb1")


@pytest.mark.parametrize("subject", [VIP, "fd00:10::1", "ffff:" * 7 + "ffff", ""])
def test_a_message_says_which_virtual_ip_it_is_about(lb1: Seal, lb2: Seal, subject: str) -> None:
    assert lb2.open(lb1.close("lb2", MESSAGE, subject)) == Opened("lb1", MESSAGE, subject)


def test_words_and_sequences_are_the_servers_whatever_it_talks_about(lb1: Seal, lb2: Seal) -> None:
    one, other = lb1.close("lb2", MESSAGE, VIP), lb1.close("lb2", MESSAGE, "fd00:10::1")

    assert lb2.open(other) == Opened("lb1", MESSAGE, "fd00:10::1")
    assert lb2.open(one) == Opened("lb1", MESSAGE, VIP)
    assert why(lb2.open(other)) is Rejected.REPLAYED


def test_messages_are_believed_out_of_order(lb1: Seal, lb2: Seal) -> None:
    first, second = lb1.close("lb2", MESSAGE), lb1.close("lb2", Hello(fit=True))
    assert lb2.open(second) == Opened("lb1", Hello(fit=True))
    assert lb2.open(first) == Opened("lb1", MESSAGE)


def test_a_datagram_is_small(lb1: Seal) -> None:
    assert len(lb1.close("lb2", MESSAGE, VIP)) == 123


def test_the_first_contact_is_answered_and_not_acted_on() -> None:
    lb1, lb2 = seal("lb1"), seal("lb2")
    result = lb2.open(lb1.close("lb2", MESSAGE))
    assert why(result) is Rejected.UNACQUAINTED
    assert why(lb1.open(answered(result))) is Rejected.INTRODUCTION
    assert lb2.open(lb1.close("lb2", MESSAGE)) == Opened("lb1", MESSAGE)


def test_nothing_recorded_before_the_receiver_restarted_is_believed(lb1: Seal, lb2: Seal) -> None:
    recorded = [lb1.close("lb2", MESSAGE) for _ in range(3)]
    restarted = seal("lb2", life=223)
    assert [why(restarted.open(data)) for data in recorded] == [Rejected.UNACQUAINTED] * 3


def test_nothing_recorded_before_the_sender_restarted_is_believed(lb1: Seal, lb2: Seal) -> None:
    recorded = lb1.close("lb2", MESSAGE)
    restarted = seal("lb1", life=112)
    introduce(restarted, lb2)
    assert lb2.open(restarted.close("lb2", MESSAGE)) == Opened("lb1", MESSAGE)
    assert why(lb2.open(recorded)) is Rejected.UNACQUAINTED


def test_a_recording_that_never_arrived_does_not_lock_the_living_out() -> None:
    lb2, dead, living = seal("lb2"), seal("lb1", life=1), seal("lb1", life=2)
    introduce(dead, lb2)
    introduce(living, lb2)
    held_back = dead.close("lb2", MESSAGE)
    # The dead one's word is on offer still; its recording is believed once ...
    assert lb2.open(held_back) == Opened("lb1", MESSAGE)
    assert why(lb2.open(held_back)) is Rejected.REPLAYED
    # ... and the living one is back after one round trip.
    introduce(living, lb2)
    assert lb2.open(living.close("lb2", MESSAGE)) == Opened("lb1", MESSAGE)
    assert why(lb2.open(held_back)) is Rejected.UNACQUAINTED


def test_an_introduction_is_never_answered(lb1: Seal) -> None:
    lb2 = seal("lb2")
    introduction = answered(lb2.open(lb1.close("lb2", MESSAGE)))
    restarted = seal("lb1", life=112)
    assert restarted.open(introduction) == NotOpened(Rejected.UNACQUAINTED, "lb2", None)


def test_our_own_sent_back_is_refused(lb1: Seal, lb2: Seal) -> None:
    assert why(lb1.open(lb1.close("lb2", MESSAGE))) is Rejected.OWN_ECHO


def test_what_is_meant_for_another_is_refused(lb1: Seal) -> None:
    assert why(seal("web1").open(lb1.close("lb2", MESSAGE))) is Rejected.NOT_FOR_US


def test_a_stranger_with_the_key_is_refused() -> None:
    stranger = seal("lb9", life=9, names=("lb9", "lb2"))
    assert why(seal("lb2").open(stranger.close("lb2", MESSAGE))) is Rejected.STRANGER


def test_another_farm_or_membership_is_refused(lb1: Seal) -> None:
    other = seal("lb2", farm=b"farm-two")
    assert why(other.open(lb1.close("lb2", MESSAGE))) is Rejected.OTHER_CONFIGURATION


def test_another_version_and_an_unknown_key_are_told_apart(lb1: Seal, lb2: Seal) -> None:
    data = lb1.close("lb2", MESSAGE)
    assert why(lb2.open(data[:2] + b"\x01" + data[3:])) is Rejected.OTHER_VERSION
    assert why(lb2.open(data[:3] + b"\x09" + data[4:])) is Rejected.UNKNOWN_KEY


@given(st.integers(0, 113), st.integers(1, 255))
def test_any_changed_byte_is_refused(position: int, change: int) -> None:
    lb1, lb2 = seal("lb1"), seal("lb2")
    introduce(lb1, lb2)
    data = bytearray(lb1.close("lb2", MESSAGE, VIP))
    data[position] ^= change
    assert isinstance(lb2.open(bytes(data)), NotOpened)
    assert lb2.open(lb1.close("lb2", MESSAGE)) == Opened("lb1", MESSAGE)


@given(st.binary(max_size=600))
def test_any_bytes_are_refused_and_nothing_is_raised(data: bytes) -> None:
    assert isinstance(seal("lb2").open(data), NotOpened)
    assert isinstance(seal("lb2").open(b"SU\x02\x01" + data), NotOpened)


@given(st.binary(max_size=400))
def test_signed_nonsense_is_malformed_or_refused(body: bytes) -> None:
    data = b"SU\x02\x01" + body
    signed = data + hmac.digest(KEY, data, "sha256")
    assert isinstance(seal("lb2").open(signed), NotOpened)


def test_signed_nonsense_has_its_own_reason() -> None:
    data = b"SU\x02\x01" + FARM + bytes(24) + b"\x03lb1" + b"\x03lb2" + b"\x00" + b"\x63"
    signed = data + hmac.digest(KEY, data, "sha256")
    assert why(seal("lb2").open(signed)) is Rejected.MALFORMED


def test_a_key_is_rotated_without_a_gap() -> None:
    """Add it last everywhere, then move it first everywhere, then remove the old one."""
    steps: list[dict[int, bytes]] = [
        {1: KEY},
        {1: KEY, 2: NEW_KEY},
        {2: NEW_KEY, 1: KEY},
        {2: NEW_KEY},
    ]
    for before, after in pairwise(steps):
        for mine, theirs in ((before, after), (after, before)):
            lb1, lb2 = seal("lb1", keys=mine), seal("lb2", keys=theirs)
            introduce(lb1, lb2)
            assert lb2.open(lb1.close("lb2", MESSAGE)) == Opened("lb1", MESSAGE)


def test_a_removed_key_is_not_believed() -> None:
    old, new = seal("lb1", keys={1: KEY}), seal("lb2", keys={2: NEW_KEY})
    assert why(new.open(old.close("lb2", MESSAGE))) is Rejected.UNKNOWN_KEY


def test_another_key_of_the_same_id_is_a_bad_signature(lb1: Seal) -> None:
    other = seal("lb2", keys={1: NEW_KEY})
    assert why(other.open(lb1.close("lb2", MESSAGE))) is Rejected.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("keys", "match"),
    [({}, "no heartbeat key"), ({1: b"short"}, "at least 16"), ({256: KEY}, "0 to 255")],
)
def test_unusable_keys_are_refused(keys: dict[int, bytes], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Seal("lb1", frozenset({"lb2"}), 1, FARM, keys)


def test_the_longest_names_still_fit() -> None:
    names = ("a" * 63, "b" * 63)
    one = Seal(names[0], frozenset(names[1:]), 1, FARM, {1: KEY})
    message: Message = Propose(Ballot(1, 1, names[0]), 1)
    assert len(one.close(names[1], message, "ffff:" * 7 + "ffff")) <= 512
