"""The farm as values: what a checked farm file says, with every default filled in.

These are the values every other layer works on. They are made by ``stillup.model.read``
only, so whoever holds a ``Farm`` holds a sound one. Durations are seconds, sizes bytes.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network


class Role(StrEnum):
    """What a server is for."""

    BALANCER = "balancer"
    WEB = "web"
    DATABASE = "database"
    STORAGE = "storage"


class Balance(StrEnum):
    """How a balancer chooses a web server for a request that has no session yet."""

    ROUND_ROBIN = "roundrobin"
    LEAST_CONNECTIONS = "leastconn"


@dataclass(frozen=True, slots=True)
class Server:
    """One server of the farm, by the name and the LAN address the farm file gives it."""

    name: str
    address: IPv4Address
    roles: frozenset[Role]
    direct: IPv4Address | None = None
    """A balancer's address in the farm's second network; None without one."""


@dataclass(frozen=True, slots=True)
class Vip:
    """The virtual IPs; ``lease_s`` bounds an unplanned outage."""

    addresses: tuple[IPv4Address | IPv6Address, ...]
    lease_s: float
    preferred: tuple[str | None, ...]
    """Of each address, the balancer that should hold it when all are well; None for any."""
    failback: bool
    """Whether an address goes back to its preferred balancer, by a hand-over, once that is well."""

    @property
    def first(self) -> IPv4Address:
        """The first IPv4 address, which every farm has: what stands for the farm."""
        return next(each for each in self.addresses if isinstance(each, IPv4Address))

    def preferred_for(self, address: str) -> str | None:
        """Return who should hold an address; None for nobody in particular, or no such address."""
        names = {str(each): name for each, name in zip(self.addresses, self.preferred, strict=True)}
        return names.get(address)

    on_acquire: tuple[str, ...] = ()
    """A command that a balancer runs when it has gained an address; empty for none."""
    on_release: tuple[str, ...] = ()
    """A command that a balancer runs when it has lost one."""
    witness: IPv4Address | None = None
    """What a balancer of two pings when the other one is silent; None for nothing."""
    drain_s: float = 300.0
    """How long open connections live on at a balancer that an address was moved away from."""


@dataclass(frozen=True, slots=True)
class Site:
    """The PHP site: its host names, the local folder it is released from, its document root."""

    hosts: tuple[str, ...]
    source: str
    """The folder as the farm file names it, relative to the farm file."""
    document_root: str
    """The folder inside ``source`` that nginx serves; ``.`` for all of it."""
    shared: tuple[str, ...] = ()
    """Folders of the site, relative to its root, that live on the shared storage; none of them
    lies in another. ``(".",)`` for the whole site. Empty wherever no server has storage."""


@dataclass(frozen=True, slots=True)
class Balancer:
    """What HAProxy does beyond its sound defaults."""

    balance: Balance
    sticky: str | None
    """The session cookie that stickiness goes by (``cookie NAME prefix``); None for none."""
    check: str
    """The path of the site's health page."""
    maxconn_per_server: int
    queue_s: float
    """How long a request may wait for a free web server before it is answered 503."""


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS at the balancers. Without files the certificate is self-signed, made once."""

    enabled: bool
    certificate: str | None
    key: str | None
    redirect: bool
    """Answer plain HTTP with a redirect to HTTPS."""


@dataclass(frozen=True, slots=True)
class Web:
    """nginx and PHP-FPM on each web server."""

    php_workers: int
    php_memory_bytes: int
    upload_bytes: int


@dataclass(frozen=True, slots=True)
class Database:
    """The site's database and the account it uses."""

    name: str
    user: str
    buffer_bytes: int


@dataclass(frozen=True, slots=True)
class Storage:
    """The shared storage, as the web servers see it."""

    mount: str = "/srv/shared"
    """Where every web server has it: the shared folder F is ``mount/F``."""


@dataclass(frozen=True, slots=True)
class Backup:
    """Where backups go, how many are kept, who can open them, and when one is made."""

    to: str | None = None
    """A folder, or ``ssh://user@host/path``; None for no backups."""
    keep: int = 14
    encrypt_to: tuple[str, ...] = ()
    """age recipients; empty for backups in the clear."""
    at: str = "daily"
    """A calendar expression of systemd (systemd.time(7))."""


@dataclass(frozen=True, slots=True)
class Ssh:
    """How the servers are reached; unused in the lab."""

    user: str
    port: int
    key: str | None
    known_hosts: str | None


@dataclass(frozen=True, slots=True)
class Promises:
    """What the drills hold the farm to."""

    outage_s: float
    lost_writes: int
    planned_failures: int


@dataclass(frozen=True, slots=True)
class Drills:
    """What a drill may do to the real servers; in the lab it may do everything."""

    allow: tuple[str, ...] = ()
    """Faults by name or pattern, or sets of them, as ``drill.choosing`` reads them."""


@dataclass(frozen=True, slots=True)
class Farm:
    """A whole, checked farm. ``servers`` keep the farm file's order."""

    name: str
    lan: IPv4Network
    lan6: IPv6Network | None
    vip: Vip
    site: Site
    balancer: Balancer
    tls: Tls
    web: Web
    database: Database
    ssh: Ssh
    promises: Promises
    servers: tuple[Server, ...]
    direct: IPv4Network | None = None
    """The balancers' second network; every balancer has an address in it."""
    storage: Storage = Storage()
    backup: Backup = Backup()
    drills: Drills = Drills()

    @property
    def has_cluster(self) -> bool:
        """Whether servers keep each other's data, so that they must know each other."""
        return any(len(self.having(role)) > 1 for role in (Role.DATABASE, Role.STORAGE))

    def having(self, role: Role) -> tuple[Server, ...]:
        """Return the servers that have ``role``, in the farm file's order."""
        return tuple(server for server in self.servers if role in server.roles)

    def server(self, name: str) -> Server | None:
        """Return the server of that name, or None."""
        return next((server for server in self.servers if server.name == name), None)


@dataclass(frozen=True, slots=True)
class Secrets:
    """The farm's secrets, from ``farm.secrets.toml``; none of them is ever in a repr."""

    heartbeat_key: str = field(repr=False)
    """32 bytes as hexadecimal."""
    database_password: str = field(repr=False)
    stats_password: str = field(repr=False)
    tls_pem: str = field(repr=False)
    """Certificate chain and private key in PEM, as HAProxy reads them; "" without TLS."""
    heartbeat_key_beside: str = field(default="", repr=False)
    """Another key that the heartbeat believes while the key is being changed; "" for none."""
    cluster_key: str = field(default="", repr=False)
    """32 bytes as hexadecimal: signs what the servers that keep each other's data tell each
    other. "" where there is one database server, and one storage server at most."""
    cluster_pem: str = field(default="", repr=False)
    """The farm's own authority, and a certificate and key for the database servers among
    themselves, as ``model.cluster`` takes them apart. "" like ``cluster_key``."""
