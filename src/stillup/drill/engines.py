"""Which engines run on which server, by the name a person types, and in which unit (pure).

What the kernel does itself (NFS, its mounts, the firewall) is none of them: it can neither be
killed nor stopped alone.
"""

from collections.abc import Mapping
from types import MappingProxyType

from stillup.model.farm import Farm, Role, Server
from stillup.model.tiebreakers import database_arbiter, storage_arbiter

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "heartbeat": "stillup-heartbeat.service",
        "haproxy": "haproxy.service",
        "nginx": "nginx.service",
        "php": "php*-fpm.service",
        "database-proxy": "stillup-database-proxy.service",
        "mount": "stillup-shared.service",
        "mount-watch": "stillup-shared-watch.service",
        "mariadb": "mariadb.service",
        "database-keeper": "stillup-database.service",
        "arbiter": "stillup-arbiter.service",
        "gluster": "glusterd.service",
        "storage-keeper": "stillup-storage.service",
    }
)
"""Each engine's unit, as systemd's patterns have it: PHP's has its version in its name."""


def engines(farm: Farm, server: Server) -> tuple[str, ...]:
    """Return the engines of one server, in the order of ``UNITS``."""
    here = {"heartbeat"}
    if Role.BALANCER in server.roles:
        here.add("haproxy")
    if Role.WEB in server.roles:
        here |= {"nginx", "php"}
    here |= _of_database(farm, server) | _of_storage(farm, server)
    return tuple(name for name in UNITS if name in here)


def _of_database(farm: Farm, server: Server) -> set[str]:
    several = len(farm.having(Role.DATABASE)) > 1
    found = set()
    if Role.DATABASE in server.roles:
        found |= {"mariadb", "database-keeper"} if several else {"mariadb"}
    if several and database_arbiter(farm) == server:
        found.add("arbiter")
    if several and Role.WEB in server.roles:
        found.add("database-proxy")
    return found


def _of_storage(farm: Farm, server: Server) -> set[str]:
    if len(farm.having(Role.STORAGE)) < 2:
        return set()
    found = set()
    if Role.STORAGE in server.roles or storage_arbiter(farm) == server:
        found |= {"gluster", "storage-keeper"}
    if Role.WEB in server.roles:
        found |= {"mount", "mount-watch"}
    return found
