"""The nfnetlink batches that renew or end a lease in the kernel: pure bytes.

A batch is one transaction over all families: it is in force as a whole or not at all.

Source: linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h; libnftnl's examples.
"""

import functools
import ipaddress
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stillup.heartbeat.attributes import (
    ACKNOWLEDGE,
    CREATE,
    DUMP,
    REQUEST,
    Message,
    attribute,
    attributes,
    message,
    nested,
    text,
)
from stillup.heartbeat.ruleset import LEASE, TICKET, table

INET, IPV4, ARP, NETDEV, IPV6 = 1, 2, 3, 5, 10

REMEMBERED = 1024
"""Of 64 addresses with some sets each; with fewer, what is renewed in turn would be forgotten in turn."""

_SUBSYSTEM = 10
_GET_TABLE = _SUBSYSTEM << 8 | 1
_NEW_ELEMENT = _SUBSYSTEM << 8 | 12
_GET_ELEMENT = _SUBSYSTEM << 8 | 13
_DELETE_ELEMENT = _SUBSYSTEM << 8 | 14
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11

_TABLE_NAME, _SET_NAME, _ELEMENTS = 1, 2, 3
_ONE_ELEMENT = 1
_KEY, _TIMEOUT, _EXPIRATION = 1, 4, 5
_VALUE = 1

_HEADER = struct.Struct("!BBH")
_MILLISECONDS = struct.Struct("!Q")


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a batch: its message type, flags and body."""

    kind: int
    flags: int
    body: bytes


def take_ticket(address: str, ticket_ms: int) -> list[Operation]:
    """Return the steps that put a fresh ticket in place of any older one."""
    return [empty(INET, TICKET, address), add(INET, TICKET, address, ticket_ms)]


def renew(families: Iterable[int], address: str, left_ms: int) -> list[Operation]:
    """Return the steps that hand the ticket in and set what is left of the lease.

    Deleting the ticket fails once it has timed out, and with it the whole transaction.
    """
    steps = [hand_in(address)]
    for family in families:
        steps += [empty(family, LEASE, address), add(family, LEASE, address, left_ms)]
    return steps


def hand_in(address: str) -> Operation:
    """Return the step that takes the ticket; once that has timed out, nothing is done."""
    return _delete(INET, TICKET, address)


def end(families: Iterable[int], address: str) -> list[Operation]:
    """Return the steps that end the lease at once."""
    return [empty(family, LEASE, address) for family in families]


def empty(family: int, name: str, address: str) -> Operation:
    """Return the step that empties the set ``name`` of an address's table."""
    return Operation(_DELETE_ELEMENT, 0, _set(family, name, address))


def add(
    family: int, name: str, address: str, timeout_ms: int, key: bytes | None = None
) -> Operation:
    """Return the step that adds an element to a set of an address's table.

    Args:
        family: The table's.
        name: The set's.
        address: The virtual IP, and the element unless ``key`` is given.
        timeout_ms: When the element ends by itself.
        key: Another element.
    """
    timeout = attribute(_TIMEOUT, _MILLISECONDS.pack(timeout_ms))
    elements = nested(_ELEMENTS, nested(_ONE_ELEMENT, _key(address, key), timeout))
    return Operation(_NEW_ELEMENT, CREATE, _set(family, name, address) + elements)


def batch(steps: Iterable[Operation], next_sequence: Callable[[], int]) -> tuple[bytes, list[int]]:
    """Return the whole batch and the sequence number of each step, all to be acknowledged."""
    parts = [message(_BATCH_BEGIN, REQUEST, next_sequence(), _HEADER.pack(0, 0, _SUBSYSTEM))]
    sequences = []
    for step in steps:
        sequences.append(next_sequence())
        flags = REQUEST | ACKNOWLEDGE | step.flags
        parts.append(message(step.kind, flags, sequences[-1], step.body))
    parts.append(message(_BATCH_END, REQUEST, next_sequence(), _HEADER.pack(0, 0, _SUBSYSTEM)))
    return b"".join(parts), sequences


def question(address: str) -> Operation:
    """Return the dump request for the elements of the ``inet`` table's lease."""
    return Operation(_GET_ELEMENT, DUMP, _set(INET, LEASE, address))


def all_tables() -> Operation:
    """Return the dump request for the tables of every family."""
    return Operation(_GET_TABLE, DUMP, _HEADER.pack(0, 0, 0))


def table_name(answer: Message) -> tuple[int, str]:
    """Return family and name of a table, from one answer to ``all_tables``."""
    name = attributes(answer.body, _HEADER.size).get(_TABLE_NAME, b"")
    return answer.body[0], name.rstrip(b"\0").decode(errors="replace")


def left_ms(answers: Iterable[Message], address: str) -> int:
    """Return how long the lease of ``address`` still runs, from the answers; 0 if it does not."""
    wanted = ipaddress.ip_address(address).packed
    for answer in answers:
        elements = attributes(answer.body, _HEADER.size).get(_ELEMENTS, b"")
        for element in _each(elements):
            key = attributes(attributes(element).get(_KEY, b"")).get(_VALUE)
            expiration = attributes(element).get(_EXPIRATION)
            if key == wanted and expiration is not None:
                left: int = _MILLISECONDS.unpack(expiration)[0]
                return left
    return 0


def _each(elements: bytes) -> Iterable[bytes]:
    """Yield the elements of a list, which all have the same attribute type."""
    place = 0
    while place + 4 <= len(elements):
        length = struct.unpack_from("=H", elements, place)[0]
        if length < 4:
            return
        yield elements[place + 4 : place + length]
        place += (length + 3) & ~3


# The same few for as long as the daemon runs, in every renewal.
@functools.lru_cache(maxsize=REMEMBERED)
def _set(family: int, name: str, address: str) -> bytes:
    head = _HEADER.pack(family, 0, 0)
    return head + text(_TABLE_NAME, table(address)) + text(_SET_NAME, name)


@functools.lru_cache(maxsize=REMEMBERED)
def _key(address: str, key: bytes | None = None) -> bytes:
    return nested(_KEY, attribute(_VALUE, key or ipaddress.ip_address(address).packed))


@functools.lru_cache(maxsize=REMEMBERED)
def _delete(family: int, name: str, address: str) -> Operation:
    elements = nested(_ELEMENTS, nested(_ONE_ELEMENT, _key(address)))
    return Operation(_DELETE_ELEMENT, 0, _set(family, name, address) + elements)
