"""ICMP echo as bytes."""

from stillup.heartbeat.echo import checksum, reply, request

IPV4 = bytes.fromhex("45000024000040004001") + bytes(10)
"""An IPv4 header of 20 bytes; what stands in it after its length does not matter here."""


def test_a_request_bears_a_checksum_that_comes_out_even() -> None:
    asked = request(4, 0x1234, 0x10005, b"eight by")
    assert asked[:2] == b"\x08\x00"
    assert asked[4:8] == bytes.fromhex("12340005")
    assert asked[8:] == b"eight by"
    assert checksum(asked) == 0


def test_the_checksum_is_that_of_the_rfc() -> None:
    # RFC 1071 section 3: the words 0001 f203 f4f5 f6f7 add up to ddf2.
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2
    assert checksum(b"\x01") == checksum(b"\x01\x00")


def test_the_kernel_fills_in_the_checksum_of_ipv6() -> None:
    assert request(6, 1, 2, b"x") == bytes.fromhex("8000000000010002") + b"x"


def test_a_reply_brings_back_what_was_asked() -> None:
    answer = bytes.fromhex("0000000012340005") + b"eight by"
    assert reply(4, IPV4 + answer) == b"eight by"
    assert reply(6, bytes.fromhex("8100000000010002") + b"x") == b"x"


def test_what_is_no_reply_is_none() -> None:
    asked = request(4, 1, 2, b"x")
    assert reply(4, IPV4 + asked) is None
    assert reply(6, request(6, 1, 2, b"x")) is None
    for length in range(len(IPV4) + 8):
        assert reply(4, (IPV4 + bytes(8))[:length]) is None
    assert reply(6, b"") is None
