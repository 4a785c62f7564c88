"""The packets of MariaDB's client protocol that the keeper needs, over its own socket: pure.

Source: MariaDB knowledge base, "Client/Server Protocol": connection, COM_QUERY, text results.
"""

import struct
from dataclasses import dataclass
from typing import TypeAlias

CAPABILITIES = 0x00000200 | 0x00008000 | 0x00080000 | 0x00000001
"""CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH, CLIENT_LONG_PASSWORD."""
UTF8MB4 = 45
PLUGIN = b"unix_socket"
LARGEST = 1 << 24

Row: TypeAlias = tuple[str | None, ...]


class Refused(Exception):
    """MariaDB answered with an error: its number and text."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"MariaDB says: {text} ({number})")
        self.number = number


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement gave: its rows, or how many it changed."""

    rows: tuple[Row, ...] = ()
    changed: int = 0


def framed(number: int, payload: bytes) -> bytes:
    """Return ``payload`` as the packet ``number``; it must be shorter than 16 MB."""
    return struct.pack("<I", len(payload))[:3] + bytes([number & 0xFF]) + payload


def login(user: str) -> bytes:
    """Return the answer to MariaDB's greeting: who the system says we are, no password."""
    head = struct.pack("<IIB23x", CAPABILITIES, LARGEST, UTF8MB4)
    return head + user.encode() + b"\0" + b"\0" + PLUGIN + b"\0"


def query(statement: str) -> bytes:
    """Return COM_QUERY."""
    return b"\x03" + statement.encode()


def raise_if_refused(payload: bytes) -> None:
    """Raise what an error packet says.

    Raises:
        Refused: If it is one.
    """
    if payload[:1] != b"\xff":
        return
    text = payload[3:]
    if text[:1] == b"#":
        text = text[6:]
    raise Refused(struct.unpack_from("<H", payload, 1)[0], text.decode("utf-8", "replace"))


def is_end(payload: bytes) -> bool:
    """Whether it ends the columns or the rows (EOF packet)."""
    return payload[:1] == b"\xfe" and len(payload) < 9


def is_ok(payload: bytes) -> bool:
    """Whether it says that all is done (OK packet)."""
    return payload[:1] == b"\0"


def is_switch(payload: bytes) -> bool:
    """Whether MariaDB wants to be convinced in another way (AuthSwitchRequest)."""
    return payload[:1] == b"\xfe"


def changed(payload: bytes) -> int:
    """Return how many rows an OK packet says were changed."""
    return _length(payload, 1)[0] or 0


def row(payload: bytes) -> Row:
    """Return the row's values; None for NULL."""
    values: list[str | None] = []
    at = 0
    while at < len(payload):
        size, at = _length(payload, at)
        if size is None:
            values.append(None)
            continue
        values.append(payload[at : at + size].decode("utf-8", "replace"))
        at += size
    return tuple(values)


def _length(payload: bytes, at: int) -> tuple[int | None, int]:
    """Return a length-encoded number, None for NULL, and where it ends."""
    first = payload[at]
    if first < 0xFB:
        return first, at + 1
    if first == 0xFB:
        return None, at + 1
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(payload[at + 1 : at + 1 + size], "little"), at + 1 + size
