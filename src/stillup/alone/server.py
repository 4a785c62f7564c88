"""What settings may leave out because this server knows it: its name, interfaces, hosts.

``look`` looks; everything else is pure.
"""

import ipaddress
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stillup.errors import ServerFailed
from stillup.heartbeat.address import Addresses
from stillup.heartbeat.netlink import NetlinkRefused

RESOURCE_FOLDERS = ("/etc/ha.d/resource.d", "/etc/init.d")
_ROUTE_UP, _ROUTE_GATEWAY = 0x1, 0x2


@dataclass(frozen=True, slots=True)
class Bearing:
    """An address of this server: which interface bears it, and its network's prefix."""

    interface: str
    address: str
    prefix: int

    def reaches(self, address: str) -> bool:
        """Return whether ``address`` is in its network."""
        network = ipaddress.ip_network(f"{self.address}/{self.prefix}", strict=False)
        return ipaddress.ip_address(address) in network


@dataclass(frozen=True, slots=True)
class Server:
    """What this server knows of itself.

    Args:
        name: What ``uname -n`` says.
        bearings: Its addresses, without those of a virtual IP held just now.
        hosts: The addresses in ``/etc/hosts`` by name, in lower case.
        gateways: The default gateways by interface.
        scripts: Where a resource script of this name is.
    """

    name: str
    bearings: tuple[Bearing, ...]
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gateways: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)

    def bearing(self, address: str) -> Bearing | None:
        """Return which interface bears an address."""
        return next((found for found in self.bearings if found.address == address), None)


def look(folder: Path | None = None) -> Server:
    """Look at this server.

    Args:
        folder: A configuration folder whose ``resource.d`` is searched first; None for none.

    Raises:
        ServerFailed: If the kernel does not say which addresses there are.
    """
    folders = [str(folder / "resource.d")] if folder is not None else []
    scripts: dict[str, str] = {}
    for place in (*folders, *RESOURCE_FOLDERS):
        for script in sorted(Path(place).glob("*")):
            if script.is_file() and os.access(script, os.X_OK):
                scripts.setdefault(script.name, str(script))
    return Server(
        os.uname().nodename.lower(),
        _bearings(),
        hosts(_text("/etc/hosts")),
        gateways(_text("/proc/net/route")),
        scripts,
    )


def hosts(text: str) -> dict[str, tuple[str, ...]]:
    """Return the addresses by name in the text of ``/etc/hosts``, but those of the loopback."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        try:
            is_loopback = ipaddress.ip_address(address).is_loopback
        except ValueError:
            continue
        for name in names if not is_loopback else []:
            found[name.lower()] = (*found.get(name.lower(), ()), address)
    return found


def gateways(text: str) -> dict[str, str]:
    """Return the default gateways by interface in the text of ``/proc/net/route``."""
    found: dict[str, str] = {}
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) < 8 or words[1] != "00000000" or words[7] != "00000000":
            continue
        flags = int(words[3], 16)
        if flags & _ROUTE_UP and flags & _ROUTE_GATEWAY:
            packed = struct.pack("=I", int(words[2], 16))
            found.setdefault(words[0], str(ipaddress.IPv4Address(packed)))
    return found


def _bearings() -> tuple[Bearing, ...]:
    try:
        kernel = Addresses()
        try:
            names = {link.index: link.name for link in kernel.links()}
            present = kernel.present()
        finally:
            kernel.close()
    except (OSError, NetlinkRefused) as error:
        raise ServerFailed(f"the kernel does not tell this server's addresses: {error}") from None
    return tuple(
        Bearing(names[seen.index], seen.address, seen.prefix)
        for seen in present
        if seen.index in names and not seen.ours
    )


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
