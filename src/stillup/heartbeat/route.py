"""What rtnetlink says of interfaces and addresses, and what we ask of it: pure.

Source: rtnetlink(7), linux/if_link.h, linux/if_addr.h.
"""

import ipaddress
import struct
from dataclasses import dataclass
from typing import TypeAlias

from stillup.heartbeat.attributes import Message, attribute, attributes

NEW_LINK, DELETE_LINK, GET_LINK = 16, 17, 18
NEW_ADDRESS, DELETE_ADDRESS, GET_ADDRESS = 20, 21, 22

GROUP_LINK, GROUP_IPV4_ADDRESS, GROUP_IPV6_ADDRESS = 0x1, 0x10, 0x100

PROTOCOL = 84
"""Marks the addresses that this daemon has added, so that a leftover is known as one even if
the farm file has since named another virtual IP (IFA_PROTO, Linux 5.18)."""

_ANY, _IPV4, _IPV6 = 0, 2, 10
_ADDRESS_BYTES = {_IPV4: 4, _IPV6: 16}
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_NUMBER = struct.Struct("=I")
_LIFETIMES = struct.Struct("=IIII")
_FOR_EVER = 0xFFFFFFFF

_IFLA_ADDRESS, _IFLA_IFNAME = 1, 3
_IFA_ADDRESS, _IFA_LOCAL, _IFA_LIFETIMES, _IFA_FLAGS, _IFA_PROTO = 1, 2, 6, 8, 11

_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_IFA_F_NODAD, _IFA_F_NOPREFIXROUTE = 0x02, 0x200


@dataclass(frozen=True, slots=True)
class LinkSeen:
    """An interface is there."""

    index: int
    name: str
    hardware: bytes
    carrier: bool
    """Whether it is up and its cable, or what stands for one, is too."""


@dataclass(frozen=True, slots=True)
class LinkGone:
    """An interface is not there any more."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class AddressSeen:
    """An address is on an interface."""

    index: int
    address: str
    prefix: int
    ours: bool
    """Whether it bears this daemon's mark."""


@dataclass(frozen=True, slots=True)
class AddressGone:
    """An address was taken off an interface."""

    index: int
    address: str


Seen: TypeAlias = LinkSeen | LinkGone | AddressSeen | AddressGone


def seen(told: Message) -> Seen | None:
    """Return what a message of rtnetlink tells; None for what does not concern us."""
    if told.kind in (NEW_LINK, DELETE_LINK) and len(told.body) >= _LINK.size:
        return _link(told)
    if told.kind in (NEW_ADDRESS, DELETE_ADDRESS) and len(told.body) >= _ADDRESS.size:
        return _address(told)
    return None


def all_links() -> bytes:
    """Return the body of the dump request for interfaces."""
    return _LINK.pack(0, 0, 0, 0, 0)


def all_addresses() -> bytes:
    """Return the body of the dump request for addresses, IPv4 and IPv6."""
    return _ADDRESS.pack(_ANY, 0, 0, 0, 0)


def address(index: int, wanted: str, prefix: int) -> bytes:
    """Return the body that adds or removes an address.

    Without a route for its prefix: the server's own address has made that already, and
    taking the virtual IP off must not take a route along.

    An IPv6 address is not asked for on the LAN first (duplicate address detection): nothing
    would be answered for that second, and the lease says already whose it is. And it is
    *deprecated* at once (RFC 4862 section 5.5.4), which only means that this server does not
    choose it as the source of connections of its own; with IPv4, the first address is chosen.
    """
    packed = ipaddress.ip_address(wanted).packed
    is_ipv6 = len(packed) == _ADDRESS_BYTES[_IPV6]
    deprecated = attribute(_IFA_LIFETIMES, _LIFETIMES.pack(0, _FOR_EVER, 0, 0))
    return (
        _ADDRESS.pack(_IPV6 if is_ipv6 else _IPV4, prefix, 0, 0, index)
        + attribute(_IFA_LOCAL, packed)
        + attribute(_IFA_ADDRESS, packed)
        + (deprecated if is_ipv6 else b"")
        + attribute(_IFA_FLAGS, _NUMBER.pack(_IFA_F_NODAD | _IFA_F_NOPREFIXROUTE))
        + attribute(_IFA_PROTO, bytes([PROTOCOL]))
    )


def _link(told: Message) -> Seen | None:
    family, _kind, index, flags, _change = _LINK.unpack_from(told.body)
    if family != 0:
        return None  # of a bridge about its port: "gone" means gone from the bridge
    fields = attributes(told.body, _LINK.size)
    name = fields.get(_IFLA_IFNAME, b"").rstrip(b"\0").decode(errors="replace")
    if told.kind == DELETE_LINK:
        return LinkGone(index, name)
    carrier = flags & (_IFF_UP | _IFF_LOWER_UP) == _IFF_UP | _IFF_LOWER_UP
    return LinkSeen(index, name, fields.get(_IFLA_ADDRESS, b""), carrier)


def _address(told: Message) -> Seen | None:
    family, prefix, _flags, _scope, index = _ADDRESS.unpack_from(told.body)
    fields = attributes(told.body, _ADDRESS.size)
    packed = fields.get(_IFA_LOCAL, fields.get(_IFA_ADDRESS, b""))
    if len(packed) != _ADDRESS_BYTES.get(family):
        return None
    spelled = str(ipaddress.ip_address(packed))
    if told.kind == DELETE_ADDRESS:
        return AddressGone(index, spelled)
    return AddressSeen(
        index, spelled, prefix, fields.get(_IFA_PROTO, b"\0")[:1] == bytes([PROTOCOL])
    )
