"""Neighbour advertisements of IPv6 as bytes: pure.

Source: RFC 4861 sections 4.4 and 7.2.6; RFC 2464 section 7 (multicast on Ethernet); RFC 8200
section 8.1 (checksum).
"""

import ipaddress
import struct

from stillup.heartbeat.repeats import Claim

ETHERTYPE = 0x86DD
ADVERTISEMENT = 136
"""The type of a neighbour advertisement."""

ALL_NODES = ipaddress.IPv6Address("ff02::1").packed

_ALL_NODES_HARDWARE = b"\x33\x33" + ALL_NODES[-4:]
_ETHERNET = struct.Struct("!6s6sH")
_IPV6 = struct.Struct("!IHBB16s16s")
_MESSAGE = struct.Struct("!BBHI16sBB6s")
_ICMPV6 = 58
_VERSION = 6 << 28
_HOP_LIMIT = 255
_OVERRIDE = 1 << 29
_TARGET_HARDWARE, _OPTION_UNITS = 2, 1


def announcements(address: str, hardware: bytes) -> tuple[bytes, ...]:
    """Return the unsolicited advertisement that ``address`` is at ``hardware``.

    It overrides what the others have in their tables (the flag of that name), and is sent
    *from* the address: ``ruleset.py`` lets it out only under a lease for that reason.
    """
    packed = ipaddress.IPv6Address(address).packed
    body = _message(packed, hardware, 0)
    checksum = _checksum(packed + ALL_NODES + struct.pack("!II", len(body), _ICMPV6) + body)
    ethernet = _ETHERNET.pack(_ALL_NODES_HARDWARE, hardware, ETHERTYPE)
    header = _IPV6.pack(_VERSION, len(body), _ICMPV6, _HOP_LIMIT, packed, ALL_NODES)
    return (ethernet + header + _message(packed, hardware, checksum),)


def claim(frame: bytes) -> Claim | None:
    """Return what a neighbour advertisement says of its target; None if it is none.

    The hardware address is the one it tells, as that is what goes into tables; the frame's
    where it tells none. One that did not come from this LAN (its hop limit says so) is none.
    """
    if len(frame) < _ETHERNET.size + _IPV6.size + 24:
        return None
    _, source, ethertype = _ETHERNET.unpack_from(frame)
    _, _, following, hops, *_ = _IPV6.unpack_from(frame, _ETHERNET.size)
    body = frame[_ETHERNET.size + _IPV6.size :]
    if (ethertype, following, hops, body[0]) != (ETHERTYPE, _ICMPV6, _HOP_LIMIT, ADVERTISEMENT):
        return None
    told = body[24:32]
    is_told = len(told) == 8 and told[:2] == bytes((_TARGET_HARDWARE, _OPTION_UNITS))
    return Claim(str(ipaddress.IPv6Address(body[8:24])), told[2:] if is_told else source)


def _message(packed: bytes, hardware: bytes, checksum: int) -> bytes:
    option = (_TARGET_HARDWARE, _OPTION_UNITS, hardware)
    return _MESSAGE.pack(ADVERTISEMENT, 0, checksum, _OVERRIDE, packed, *option)


def _checksum(data: bytes) -> int:
    """Return the internet checksum (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
