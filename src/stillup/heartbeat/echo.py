"""ICMP echo requests and replies as bytes, for IPv4 and IPv6: pure.

| bytes | what                                                                        |
|-------|-----------------------------------------------------------------------------|
| 1     | type: 8 asks and 0 answers (RFC 792); 128 and 129 for IPv6 (RFC 4443)       |
| 1     | code: 0                                                                     |
| 2     | checksum (RFC 1071); the kernel fills in ICMPv6's                           |
| 2     | identifier                                                                  |
| 2     | sequence number                                                             |
| n     | data, which the answer brings back as it was                                |
"""

import struct

_HEADER = struct.Struct("!BBHHH")
_ASKS, _ANSWERS = {4: 8, 6: 128}, {4: 0, 6: 129}


def request(version: int, identifier: int, sequence: int, data: bytes) -> bytes:
    """Return an echo request.

    Args:
        version: 4 or 6, of the IP it travels in.
        identifier: Of the one that asks; its low 16 bits are sent.
        sequence: Of this question; its low 16 bits are sent.
        data: What the answer shall bring back.
    """
    numbers = (identifier & 0xFFFF, sequence & 0xFFFF)
    blank = _HEADER.pack(_ASKS[version], 0, 0, *numbers) + data
    if version == 6:
        return blank
    return _HEADER.pack(_ASKS[version], 0, checksum(blank), *numbers) + data


def reply(version: int, packet: bytes) -> bytes | None:
    """Return what an echo reply brings back; None if it is none.

    Args:
        version: 4 or 6.
        packet: As a raw socket gives it: with the IP header for version 4, without for 6.
    """
    start = (packet[0] & 0x0F) * 4 if version == 4 and packet else 0
    message = packet[start:]
    if len(message) < _HEADER.size or message[0] != _ANSWERS[version] or message[1] != 0:
        return None
    return message[_HEADER.size :]


def checksum(data: bytes) -> int:
    """Return the one's complement sum of RFC 1071; 0 for data that bears the right one."""
    even = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(even) // 2}H", even))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total
