"""Small programs that the kernel runs on each packet, so that the rest never wakes the daemon.

Classic BPF, as bytes: pure. Whoever can send to the LAN can flood it; what is not for us is
dropped before it takes a place in a socket's buffer, from which it would drive the votes out.

Source: linux/filter.h; "Linux Socket Filtering" in the kernel's documentation.
"""

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from stillup.heartbeat.neighbour import ADVERTISEMENT

ATTACH = 26
"""``SO_ATTACH_FILTER``, which the socket module does not name."""

_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE, _EQUALS, _RETURN = 0x20, 0x28, 0x30, 0x15, 0x06
_PACKET_TYPE = 0xFFFFF000 + 4
_OUTGOING = 4
_SOURCE_ADDRESS = 0xFFF00000 + 12
_ARP_SENDER = 28
_NEXT_HEADER, _ICMPV6_TYPE, _ICMPV6_TARGET = 20, 54, 62
_ICMPV6 = 58
_IPV4_BYTES = 4
_UDP_PAYLOAD = 8
_ALL, _NOTHING = 0xFFFFFFFF, 0

_STEP = struct.Struct("=HBBI")


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction; the jumps count the instructions to skip."""

    code: int
    value: int
    if_so: int = 0
    if_not: int = 0


def claims(address: str) -> list[Step]:
    """Return the filter for a packet socket: what others say of where ``address`` is.

    ARP whose sender it is; for IPv6, neighbour advertisements whose target it is.
    """
    packed = ipaddress.ip_address(address).packed
    if len(packed) == _IPV4_BYTES:
        wanted = [(_LOAD_WORD, _ARP_SENDER, int.from_bytes(packed, "big"))]
    else:
        wanted = [(_LOAD_BYTE, _NEXT_HEADER, _ICMPV6), (_LOAD_BYTE, _ICMPV6_TYPE, ADVERTISEMENT)]
        wanted += [
            (_LOAD_WORD, _ICMPV6_TARGET + at, int.from_bytes(packed[at : at + 4], "big"))
            for at in range(0, len(packed), 4)
        ]
    steps = [Step(_LOAD_WORD, _PACKET_TYPE), Step(_EQUALS, _OUTGOING, if_so=2 * len(wanted) + 1)]
    for place, (load, where, value) in enumerate(wanted):
        left = len(wanted) - place
        steps += [Step(load, where), Step(_EQUALS, value, if_not=2 * left - 1)]
    return [*steps, Step(_RETURN, _ALL), Step(_RETURN, _NOTHING)]


def datagrams(magic: bytes, source: str) -> list[Step]:
    """Return the filter for a UDP socket: ours by their first two bytes, and from ``source``."""
    return [
        Step(_LOAD_HALF, _UDP_PAYLOAD),
        Step(_EQUALS, int.from_bytes(magic, "big"), if_not=3),
        Step(_LOAD_WORD, _SOURCE_ADDRESS),
        Step(_EQUALS, int(ipaddress.IPv4Address(source)), if_not=1),
        Step(_RETURN, _ALL),
        Step(_RETURN, _NOTHING),
    ]


def nothing() -> list[Step]:
    """Return the filter for a socket that only sends."""
    return [Step(_RETURN, _NOTHING)]


def assembled(steps: Iterable[Step]) -> bytes:
    """Return the program as ``struct sock_filter[]``."""
    return b"".join(_STEP.pack(step.code, step.if_so, step.if_not, step.value) for step in steps)
