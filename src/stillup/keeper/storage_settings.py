"""The storage keeper's settings: who keeps the shared files, and who may mount them (pure).

``/etc/stillup/storage.json``, without a secret::

    {"farm": "shop", "name": "data1", "members": {"data1": "10.0.0.6", "data2": "10.0.0.7",
     "web2": "10.0.0.5"}, "arbiter": "web2", "clients": ["10.0.0.4", "10.0.0.5"]}

``members`` are the storage servers in the farm file's order, and the arbiter last.
"""

import json
import uuid
from dataclasses import dataclass
from ipaddress import IPv4Address

from stillup.errors import InputRefused

PATH = "/etc/stillup/storage.json"
VOLUME = "stillup"
BRICK = "/srv/stillup/brick/data"
DISK_MARK = "/var/lib/stillup/storage-disk"
"""Where the disk of the brick is mounted, if it has one of its own."""
STATE = "/run/stillup/storage/state.json"
"""What the keeper last saw; written anew with every look."""

OPTIONS = {
    # A server that hangs is given up after 3 s of silence, and not after 42. That may become 6: nobody is asked
    # anew within 3 s, and what was sent in vain counts as a sign of life.
    "network.ping-timeout": "3",
    # A dead one is found by the kernels, which busy servers answer for as well: after 2 s in which nothing
    # is acknowledged, or nothing comes at all. The bricks' side of it frees the locks of a web server
    # that died, for which the others waited up to 42 s otherwise.
    "client.tcp-user-timeout": "2",
    "client.keepalive-time": "1",
    "client.keepalive-interval": "1",
    "client.keepalive-count": "2",
    "server.tcp-user-timeout": "2",
    "server.keepalive-time": "1",
    "server.keepalive-interval": "1",
    "server.keepalive-count": "2",
    # Writes need two of three, so that no two halves ever write apart from each other.
    "cluster.quorum-type": "auto",
    # Not the other quorum, which stops bricks where the management has no majority: the one above
    # is enough, and that one would stop a brick whenever its own management restarts.
    "cluster.server-quorum-type": "none",
    # Nobody is there to decide by hand: of two versions that blame each other, the newer one.
    "cluster.favorite-child-policy": "mtime",
    "cluster.self-heal-daemon": "on",
    # A folder is healed by comparing all of it, not only the names that were written down as missing:
    # what was under way when every server lost its power at once was written down nowhere.
    "cluster.granular-entry-heal": "disable",
    "cluster.heal-timeout": "60",
    "cluster.shd-max-threads": "8",
    "cluster.lookup-optimize": "on",
    # A write that PHP was told is done is done: neither waits in the memory of the web server.
    "performance.write-behind": "off",
    "performance.flush-behind": "off",
    # What a web server has looked up it knows until another one changes it (the servers tell).
    "features.cache-invalidation": "on",
    "features.cache-invalidation-timeout": "600",
    "performance.cache-invalidation": "on",
    "performance.cache-size": "64MB",
    "performance.stat-prefetch": "on",
    "performance.md-cache-timeout": "600",
    "performance.nl-cache": "on",
    "performance.nl-cache-timeout": "600",
    "performance.parallel-readdir": "on",
    "performance.quick-read": "on",
    "performance.client-io-threads": "on",
    "performance.io-thread-count": "8",
    "network.inode-lru-limit": "200000",
    "client.event-threads": "2",
    "server.event-threads": "2",
    "diagnostics.brick-log-level": "WARNING",
    "diagnostics.client-log-level": "WARNING",
}

_NAMESPACE = uuid.UUID("5f0dd3a4-3f0a-5c5e-9a6b-2f6d8d1c7a11")


@dataclass(frozen=True, slots=True)
class Member:
    """A server that takes part: it keeps the files, or as the arbiter only their names."""

    name: str
    address: str
    is_arbiter: bool
    uuid: str
    """Who it is to Gluster. It follows from the names, so that a server that comes back with an
    empty disk is the one that the others know."""


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """The settings; see above."""

    name: str
    members: tuple[Member, ...]
    clients: tuple[str, ...]

    @property
    def own(self) -> Member:
        """This server."""
        return next(member for member in self.members if member.name == self.name)

    @property
    def options(self) -> dict[str, str]:
        """The volume's options; only the clients may mount it."""
        return {**OPTIONS, "auth.allow": ",".join(self.clients)}

    def named(self, address: str) -> str:
        """Return the name of the member with that address, or the address."""
        return next((m.name for m in self.members if m.address == address), address)


def identity(farm: str, name: str) -> str:
    """Return the UUID by which Gluster knows a server of a farm."""
    return str(uuid.uuid5(_NAMESPACE, f"{farm}/{name}"))


def read_settings(text: str) -> StorageSettings:
    """Return the settings.

    Raises:
        InputRefused: If they are not as above.
    """
    try:
        given = json.loads(text)
        farm, arbiter = str(given["farm"]), given["arbiter"]
        members = tuple(
            Member(name, str(IPv4Address(address)), name == arbiter, identity(farm, name))
            for name, address in given["members"].items()
        )
        clients = tuple(str(IPv4Address(address)) for address in given["clients"])
        settings = StorageSettings(str(given["name"]), members, clients)
        _require_sound(settings, arbiter)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputRefused(f"{PATH}: {error}") from error
    return settings


def _require_sound(settings: StorageSettings, arbiter: str | None) -> None:
    names = {member.name for member in settings.members}
    if settings.name not in names or len(names) < 2:
        raise ValueError("members: must name this server and at least one other")
    if arbiter is not None and arbiter not in names:
        raise ValueError("arbiter: must be one of the members, or null")
