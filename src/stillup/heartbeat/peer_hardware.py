"""The hardware addresses of the other balancers, as this server's neighbour table has them.

The heartbeat's own datagrams keep that table fresh. For an IPv6 virtual IP a gateway of our own
making is put into it for each peer: whether and which IPv6 addresses the servers have besides
does not matter then (docs/decisions/0320-hand-over-by-copies.md).

Source: rtnetlink(7), linux/neighbour.h.
"""

import ipaddress
import struct
from collections.abc import Iterator, Mapping

from stillup.heartbeat.attributes import CREATE, DUMP, REPLACE, attribute, attributes
from stillup.heartbeat.netlink import ROUTE, Netlink

_NEW, _DELETE, _GET = 28, 29, 30
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_DESTINATION, _HARDWARE = 1, 2
_PERMANENT = 0x80
_UNKNOWN = 0x01 | 0x20
_IPV4, _IPV6 = 2, 10
_GATEWAYS = ipaddress.ip_address("fe80::5354:0").packed[:-2]


class PeerHardware:
    """Looks the peers up.

    Args:
        peers: Each peer's address on the LAN by its name.
    """

    def __init__(self, peers: Mapping[str, str]) -> None:
        self._peers = {name: ipaddress.ip_address(at).packed for name, at in peers.items()}
        self._netlink = Netlink(ROUTE)

    def close(self) -> None:
        """Close the socket; what was put into the table stays."""
        self._netlink.close()

    def known(self, index: int) -> dict[str, bytes]:
        """Return the hardware address of each peer that is known on the interface ``index``.

        Raises:
            NetlinkRefused: If the kernel refuses.
        """
        names = {packed: name for name, packed in self._peers.items()}
        found = {}
        for destination, hardware, state in self._table(_IPV4, index):
            name = names.get(destination)
            if name and not state & _UNKNOWN and len(hardware) == 6:
                found[name] = hardware
        return found

    def pin(self, index: int, gateway: str, hardware: bytes) -> None:
        """Have packets to ``gateway`` go to this hardware address.

        Raises:
            NetlinkRefused: If the kernel refuses.
        """
        body = (
            _NEIGHBOUR.pack(_IPV6, index, _PERMANENT, 0, 0)
            + attribute(_DESTINATION, ipaddress.ip_address(gateway).packed)
            + attribute(_HARDWARE, hardware)
        )
        self._netlink.request(_NEW, CREATE | REPLACE, body)

    def forget(self, index: int, place: int) -> None:
        """Delete what stands for the peers from ``place`` on, which are none any more.

        Raises:
            NetlinkRefused: If the kernel refuses.
        """
        known = {destination for destination, _, _ in self._table(_IPV6, index)}
        for packed in sorted(known):
            ours, number = packed[:-2] == _GATEWAYS, int.from_bytes(packed[-2:], "big")
            if ours and number > place:
                body = _NEIGHBOUR.pack(_IPV6, index, 0, 0, 0) + attribute(_DESTINATION, packed)
                self._netlink.request(_DELETE, 0, body)

    def _table(self, family: int, index: int) -> Iterator[tuple[bytes, bytes, int]]:
        """Yield the interface's entries: whom it is of, the hardware address, the state."""
        for told in self._netlink.dump(_GET, DUMP, _NEIGHBOUR.pack(family, 0, 0, 0, 0)):
            _, at, state, _, _ = _NEIGHBOUR.unpack_from(told.body)
            if at == index:
                fields = attributes(told.body, _NEIGHBOUR.size)
                yield fields.get(_DESTINATION, b""), fields.get(_HARDWARE, b""), state


def gateway(place: int) -> str:
    """Return the IPv6 address that stands for the peer ``place`` as a next hop."""
    return f"fe80::5354:{place + 1:x}"
