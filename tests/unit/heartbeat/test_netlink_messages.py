"""Netlink messages: what is packed is unpacked, what is torn is left out."""

import struct

from stillup.heartbeat import attributes, lease_messages, route
from stillup.heartbeat.attributes import Message, message, messages
from stillup.heartbeat.lease_messages import ARP, INET
from stillup.heartbeat.route import AddressGone, AddressSeen, LinkGone, LinkSeen

VIP = "10.0.0.1"


def link(kind: int, flags: int, name: str = "eth0") -> Message:
    head = struct.pack("=BxHiII", 0, 1, 7, flags, 0)
    body = attributes.text(3, name) + attributes.attribute(1, b"\2\0\0\0\0\1")
    return Message(kind, 0, head + body)


def test_messages_are_padded_and_found_one_after_another() -> None:
    data = message(16, 1, 5, b"abc") + message(17, 1, 6, b"")

    assert len(data) == 20 + 16
    assert list(messages(data)) == [Message(16, 5, b"abc"), Message(17, 6, b"")]


def test_a_torn_message_is_left_out() -> None:
    whole = message(16, 1, 5, b"abcd")

    assert list(messages(whole + message(17, 1, 6, b"abcd")[:18])) == [Message(16, 5, b"abcd")]
    assert list(messages(b"\0" * 40)) == []


def test_an_error_tells_its_number() -> None:
    assert Message(2, 1, struct.pack("=i", -2)).error == 2
    assert Message(2, 1, struct.pack("=i", 0)).error == 0
    assert Message(16, 1, struct.pack("=i", -2)).error is None


def test_attributes_are_found_by_type_and_a_torn_one_ends_them() -> None:
    data = attributes.attribute(1, b"x") + attributes.nested(2, attributes.text(3, "eth0"))

    found = attributes.attributes(data + b"\xff\0\0\0")

    assert found[1] == b"x"
    assert attributes.attributes(found[2]) == {3: b"eth0\0"}


def test_an_interface_has_a_carrier_if_it_is_up_and_so_is_what_is_below_it() -> None:
    hardware = b"\2\0\0\0\0\1"

    assert route.seen(link(16, 0x10001)) == LinkSeen(7, "eth0", hardware, carrier=True)
    assert route.seen(link(16, 0x1)) == LinkSeen(7, "eth0", hardware, carrier=False)
    assert route.seen(link(16, 0x10000)) == LinkSeen(7, "eth0", hardware, carrier=False)
    assert route.seen(link(17, 0x10001)) == LinkGone(7, "eth0")


def test_what_a_bridge_says_of_its_port_is_not_about_the_interface() -> None:
    told = link(17, 0x10001)

    assert route.seen(Message(told.kind, 0, b"\7" + told.body[1:])) is None


def test_an_ipv6_address_is_added_deprecated_and_without_duplicate_detection() -> None:
    body = route.address(7, "fd00:10::1", 64)
    fields = attributes.attributes(body, 8)

    assert route.seen(Message(20, 0, body)) == AddressSeen(7, "fd00:10::1", 64, ours=True)
    assert route.seen(Message(21, 0, body)) == AddressGone(7, "fd00:10::1")
    assert struct.unpack("=IIII", fields[6]) == (0, 0xFFFFFFFF, 0, 0)  # preferred, valid
    assert struct.unpack("=I", fields[8])[0] & 0x02


def test_an_address_is_ours_by_its_mark() -> None:
    ours = Message(20, 0, route.address(7, VIP, 24))
    anothers = Message(20, 0, struct.pack("=BBBBI", 2, 24, 0, 0, 7) + ours.body[8:16])

    assert route.seen(ours) == AddressSeen(7, VIP, 24, ours=True)
    assert route.seen(anothers) == AddressSeen(7, VIP, 24, ours=False)
    assert route.seen(Message(21, 0, ours.body)) == AddressGone(7, VIP)


def test_what_does_not_concern_us_is_nothing() -> None:
    torn = struct.pack("=BBBBI", 10, 64, 0, 0, 7) + attributes.attribute(1, b"\0" * 4)

    assert route.seen(Message(20, 0, torn)) is None
    assert route.seen(Message(24, 0, b"")) is None
    assert route.seen(Message(16, 0, b"short")) is None


def test_a_renewal_hands_the_ticket_in_before_it_sets_anything() -> None:
    steps = lease_messages.renew([INET, ARP], VIP, 480)
    ticket = lease_messages.take_ticket(VIP, 20)

    kinds = [step.kind & 0xFF for step in steps]
    assert kinds == [14, 14, 12, 14, 12]  # delete ticket; then empty and fill, for each family
    assert b"ticket\0" in steps[0].body
    assert bytes([10, 0, 0, 1]) in steps[0].body
    assert [step.body[0] for step in steps] == [INET, INET, INET, ARP, ARP]
    assert steps[2].body.endswith((480).to_bytes(8, "big"))
    assert ticket[1].body.endswith((20).to_bytes(8, "big"))


def test_an_ipv6_address_is_a_key_of_sixteen_bytes_in_tables_of_its_own() -> None:
    step = lease_messages.take_ticket("fd00:10::1", 20)[1]

    assert b"stillup_vip_fd00_10__1\0" in step.body
    assert bytes.fromhex("fd000010000000000000000000000001") in step.body


def test_a_batch_is_framed_and_every_step_is_acknowledged() -> None:
    numbers = iter(range(1, 100))
    data, sequences = lease_messages.batch(lease_messages.end([INET], VIP), lambda: next(numbers))

    found = list(messages(data))
    assert [each.kind for each in found] == [0x10, 10 << 8 | 14, 0x11]
    assert sequences == [2]
    assert [each.sequence for each in found] == [1, 2, 3]


def test_what_is_left_is_read_from_the_element_of_that_address() -> None:
    def element(last: int, left_ms: int) -> bytes:
        key = attributes.nested(1, attributes.attribute(1, bytes([10, 0, 0, last])))
        return attributes.nested(1, key, attributes.attribute(5, left_ms.to_bytes(8, "big")))

    elements = attributes.nested(3, element(9, 77), element(1, 321))
    answer = Message(10 << 8 | 12, 1, b"\1\0\0\0" + elements)

    assert lease_messages.left_ms([answer], VIP) == 321
    assert lease_messages.left_ms([answer], "10.0.0.2") == 0
    assert lease_messages.left_ms([], VIP) == 0
