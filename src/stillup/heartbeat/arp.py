"""ARP frames as bytes: pure.

Source: RFC 826; RFC 5227 section 3 (announcements); RFC 5944 section 4.6 (both the request
and the reply form, as some stacks heed only one of them).
"""

import ipaddress
import struct

from stillup.heartbeat.repeats import Claim

BROADCAST = b"\xff" * 6
ETHERTYPE = 0x0806

_FRAME = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_REQUEST, _REPLY = 1, 2


def announcements(address: str, hardware: bytes) -> tuple[bytes, bytes]:
    """Return the gratuitous ARP of ``address`` at ``hardware``, as request and as reply."""
    packed = ipaddress.IPv4Address(address).packed
    asked = _frame(hardware, _REQUEST, packed, b"\0" * 6)
    told = _frame(hardware, _REPLY, packed, BROADCAST)
    return asked, told


def claim(frame: bytes) -> Claim | None:
    """Return what an ARP frame says of its sender; None if it is no ARP over IPv4.

    The hardware address is the one in the ARP packet: that is what goes into tables.
    """
    if len(frame) < _FRAME.size:
        return None
    fields = _FRAME.unpack_from(frame)
    ethertype, network, protocol = fields[2:5]
    if (ethertype, network, protocol) != (ETHERTYPE, 1, 0x0800):
        return None
    return Claim(str(ipaddress.IPv4Address(fields[9])), fields[8])


def _frame(hardware: bytes, operation: int, packed: bytes, target: bytes) -> bytes:
    return _FRAME.pack(
        BROADCAST, hardware, ETHERTYPE, 1, 0x0800, 6, 4, operation, hardware, packed, target, packed
    )
