"""Netlink messages as bytes: pure packing and unpacking, for rtnetlink and for nfnetlink.

A message is ``struct nlmsghdr`` and a body; a body is a fixed header of its family and
attributes; an attribute is length, type and value, padded to four bytes. Numbers are in the
machine's own byte order, except where nftables wants the network's.

Source: linux/netlink.h, RFC 3549.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

REQUEST = 0x1
ACKNOWLEDGE = 0x4
DUMP = 0x300
CREATE = 0x400
REPLACE = 0x100

ERROR = 2
DONE = 3

_NESTED = 0x8000
_TYPE_MASK = 0x3FFF
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR_NUMBER = struct.Struct("=i")


@dataclass(frozen=True, slots=True)
class Message:
    """One received message: its type, its sequence number and what follows the header."""

    kind: int
    sequence: int
    body: bytes

    @property
    def error(self) -> int | None:
        """The ``errno`` of an error message (0 for an acknowledgement), else None."""
        if self.kind != ERROR:
            return None
        number: int = _ERROR_NUMBER.unpack_from(self.body)[0]
        return -number


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """Return one whole message; the port is left to the kernel."""
    length = _HEADER.size + len(body)
    return _HEADER.pack(length, kind, flags, sequence, 0) + body + b"\0" * (-length % 4)


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + b"\0" * (-length % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """Return an attribute that holds others."""
    return attribute(kind | _NESTED, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    """Return an attribute that is a string with the closing zero the kernel expects."""
    return attribute(kind, value.encode() + b"\0")


def messages(data: bytes) -> Iterator[Message]:
    """Yield the messages of one received datagram; a torn tail is left out."""
    place = 0
    while place + _HEADER.size <= len(data):
        length, kind, _flags, sequence, _port = _HEADER.unpack_from(data, place)
        if length < _HEADER.size or place + length > len(data):
            return
        yield Message(kind, sequence, data[place + _HEADER.size : place + length])
        place += (length + 3) & ~3


def attributes(data: bytes, start: int = 0) -> dict[int, bytes]:
    """Return the attributes from ``start`` on, by type; the last of a type wins."""
    found: dict[int, bytes] = {}
    place = start
    while place + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, place)
        if length < _ATTRIBUTE.size or place + length > len(data):
            break
        found[kind & _TYPE_MASK] = data[place + _ATTRIBUTE.size : place + length]
        place += (length + 3) & ~3
    return found
