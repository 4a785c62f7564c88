"""Through which interface an address can be asked for, from the kernel's routes (pure).

Source: proc_pid_net(5), ``route``; Documentation/networking for ``ipv6_route``.
"""

import struct
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

_UP, _GATEWAY = 0x1, 0x2


def interface_for(address: str, route: str, ipv6_route: str) -> str | None:
    """Return the interface behind which ``address`` is without a router between; None if none is.

    Args:
        address: IPv4 or IPv6.
        route: The text of ``/proc/net/route``.
        ipv6_route: The text of ``/proc/net/ipv6_route``; "" where there is no IPv6.
    """
    if ":" in address:
        return _sixth(IPv6Address(address), ipv6_route)
    wanted, best = IPv4Address(address), (-1, "", _GATEWAY)
    for line in route.splitlines()[1:]:
        name, destination, _, flags, _, _, _, mask, *_ = line.split()
        network = IPv4Network((_fourth(destination), str(_fourth(mask))))
        if int(flags, 16) & _UP and wanted in network:
            best = max(best, (network.prefixlen, name, int(flags, 16)), key=lambda one: one[0])
    return None if best[2] & _GATEWAY else best[1]


def _fourth(text: str) -> IPv4Address:
    """Return an address that the kernel printed as a number in this machine's byte order."""
    return IPv4Address(struct.pack("=I", int(text, 16)))


def _sixth(wanted: IPv6Address, routes: str) -> str | None:
    best = (-1, "", _GATEWAY)
    for line in routes.splitlines():
        destination, length, *_, flags, name = line.split()
        network = IPv6Network((int(destination, 16), int(length, 16)))
        if name != "lo" and int(flags, 16) & _UP and wanted in network:
            best = max(best, (network.prefixlen, name, int(flags, 16)), key=lambda one: one[0])
    return None if best[2] & _GATEWAY else best[1]
