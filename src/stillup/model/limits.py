"""What the engines and the kernel bound, whatever a farm file wishes for (pure)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stillup.model.problems import Path

MOST_SERVERS = 250
"""So many sockets a daemon opens on the LAN: one for each other server, and one to send."""
MOST_WORKERS = 2000
"""PHP processes on a web server; more is a mistake in its own right."""
MOST_CONNECTIONS = 100_000
"""MariaDB's bound for ``max_connections``."""
SPARE_CONNECTIONS = 30
"""For people, back-ups and checks beside the site's own connections."""
HEALTH_WORKERS = 2
TAKEN_PORTS = {
    80: "the site",
    443: "the site",
    1024: "HAProxy's tables",
    3306: "MariaDB",
    8404: "HAProxy's statistics",
    8405: "HAProxy's health",
    8406: "nginx's and PHP's state",
}
"""TCP ports that the parts of every farm listen on."""
SEVERAL_DATABASES_PORTS = {
    4444: "Galera's whole copies",
    4567: "Galera",
    4568: "Galera's missed changes",
    9200: "the database's keeper",
}
ONE_STORAGE_PORTS = {2049: "NFS"}
BRICKS = range(49152, 49216)
SEVERAL_STORAGES_PORTS = {24007: "Gluster", **dict.fromkeys(BRICKS, "Gluster's bricks")}
"""Those of farms that have so many servers of the role."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """A wish that cannot be granted."""

    path: Path
    text: str
    code: str


def connections(php_workers: int, webs: int) -> int:
    """Return how many connections MariaDB must take at once."""
    # A page has a connection of its own and one for its session.
    return max(100, (2 * php_workers + HEALTH_WORKERS) * webs + SPARE_CONNECTIONS)


def taken_ports(databases: int, storages: int) -> Mapping[int, str]:
    """Return the TCP ports that the parts listen on in a farm of so many such servers."""
    taken = dict(TAKEN_PORTS)
    if databases > 1:
        taken |= SEVERAL_DATABASES_PORTS
    if storages:
        taken |= ONE_STORAGE_PORTS if storages == 1 else SEVERAL_STORAGES_PORTS
    return taken


def beyond(
    servers: int,
    webs: int,
    php_workers: object,
    ssh_port: object,
    taken: Mapping[int, str] = TAKEN_PORTS,
) -> Iterator[Beyond]:
    """Yield what is beyond a bound; values that are not sound by themselves are passed over."""
    if servers > MOST_SERVERS:
        told = f"has {servers} servers; the heartbeat takes {MOST_SERVERS} at most"
        yield Beyond(("servers",), told, "too-many-servers")
    if isinstance(ssh_port, int) and ssh_port in taken:
        told = f"{ssh_port} is the port of {taken[ssh_port]}; have sshd listen on another one"
        yield Beyond(("ssh", "port"), told, "port-taken")
    workers = 16 if php_workers is None else php_workers
    if not isinstance(workers, int) or not 0 < workers <= MOST_WORKERS:
        return
    if connections(workers, webs) > MOST_CONNECTIONS:
        told = (
            f"{workers} on each of {webs} web servers would need {connections(workers, webs):,} "
            f"connections to the database, which takes {MOST_CONNECTIONS:,} at most; take fewer"
        )
        yield Beyond(("web", "php_workers"), told, "too-many-workers")
