"""What a lab's things are called: pure functions of the farm, so that nothing need be remembered.

Interface names fit the kernel's 15 characters (IFNAMSIZ - 1), and no name is shared by
two labs where they could meet (a folder, a control group); inside a lab's own network
namespaces the names are short and the same in every lab.
"""

import hashlib
from ipaddress import IPv4Address, IPv6Address, IPv6Interface
from itertools import islice
from pathlib import Path

from stillup.errors import LabFailed
from stillup.model.farm import Farm

BRIDGE = "lan"
DIRECT_BRIDGE = "direct"
CLIENT_PORT = "to-client"
INTERFACE = "eth0"
DIRECT_INTERFACE = "eth1"
_ON_DIRECT = "direct."
_LONGEST_IN_PORT = 12


def path_hash(farm_path: Path) -> str:
    """Return 8 hexadecimal digits that tell farm files apart by their absolute path."""
    return hashlib.sha256(str(farm_path.resolve()).encode()).hexdigest()[:8]


def lab_id(farm_name: str, farm_path: Path) -> str:
    """Return the name of the lab's folder: the farm's name, for people, and its file's hash."""
    return f"{farm_name}-{path_hash(farm_path)}"


def port(server: str) -> str:
    """Return the name of the switch's port to a server, at most 15 characters.

    ``client`` as a server's name would collide with the client's own port, so it is hashed
    like names that are too long.
    """
    if is_on_direct(server):
        return f"on-{port(server.removeprefix(_ON_DIRECT))[3:]}"
    if len(server) <= _LONGEST_IN_PORT and server != "client":
        return f"to-{server}"
    return f"to-{hashlib.sha256(server.encode()).hexdigest()[:_LONGEST_IN_PORT]}"


def on_direct(server: str) -> str:
    """Return what a server's link to the second network is called; no server has a dot."""
    return f"{_ON_DIRECT}{server}"


def is_on_direct(link: str) -> bool:
    """Say whether a link is one to the second network."""
    return link.startswith(_ON_DIRECT)


def mac(lab: str, server: str) -> str:
    """Return a server's hardware address: locally administered, the same after each boot."""
    digest = hashlib.sha256(f"{lab}/{server}".encode()).digest()
    return ":".join(["02", *(f"{byte:02x}" for byte in digest[:5])])


def client_address(farm: Farm) -> IPv4Address:
    """Return the LAN address of the client: the highest that the farm does not use.

    Raises:
        LabFailed: If the farm uses every address of its LAN.
    """
    return _free(farm, 0, "client")


def console_address(farm: Farm) -> IPv4Address:
    """Return the address that this host enters a User-Mode Linux machine from: the next highest.

    Raises:
        LabFailed: If the farm leaves no second address of its LAN free.
    """
    return _free(farm, 1, "consoles")


def _free(farm: Farm, place: int, user: str) -> IPv4Address:
    taken = {server.address for server in farm.servers} | set(farm.vip.addresses)
    last = int(farm.lan.broadcast_address) - 1
    numbers = range(last, int(farm.lan.network_address), -1)
    free = (address for address in map(IPv4Address, numbers) if address not in taken)
    found = next(islice(free, place, None), None)
    if found is None:
        raise LabFailed(
            f"the LAN {farm.lan} has no free address for the lab's {user}: widen network.lan"
        )
    return found


def sixth(farm: Farm, address: IPv4Address) -> IPv6Interface | None:
    """Return the IPv6 address of a host of the LAN; None where the farm has no IPv6.

    It has the number of the host's IPv4 address: ``10.0.0.2`` is ``fd00:10::2``. Where a
    virtual IP has that one, or the network has no such number, the last bytes tell that it is
    another.

    Raises:
        LabFailed: If the IPv6 network is too small for that.
    """
    if farm.lan6 is None:
        return None
    number = int(address) - int(farm.lan.network_address)
    for offset in (0, farm.lan6.num_addresses // 2):
        at = int(farm.lan6.network_address) + offset + number
        found = IPv6Address(at)
        if found in farm.lan6 and found not in farm.vip.addresses:
            return IPv6Interface((found, farm.lan6.prefixlen))
    raise LabFailed(
        f"the IPv6 network {farm.lan6} has no address for the lab's host {address}: widen network.lan6"
    )
