"""Everything one server of a farm should have: the parts of its roles, joined.

Pure: a farm, its secrets and what the server told of itself in; a value out. The order of
the parts is the order in which a server takes them on: shut the firewall first, then serve,
and stand for the virtual IP last, when there is something to serve.
"""

from collections.abc import Mapping

from stillup.model.farm import Farm, Role, Secrets, Server
from stillup.node.bundle import Bundle, Facts
from stillup.parts import (
    arbiter,
    balancer,
    base,
    database,
    database_proxy,
    firewall,
    galera,
    heartbeat,
    nfs,
    storage,
    web,
)
from stillup.parts.merge import merge


def wanted(
    farm: Farm,
    server: Server,
    secrets: Secrets,
    facts: Facts,
    code: Mapping[str, str],
    *,
    keeps_old: bool = False,
) -> Bundle:
    """Return what ``server`` should have.

    Args:
        farm: A checked farm.
        server: One of the farm's servers.
        secrets: The farm's secrets; they end up only in files marked ``secret`` and in a
            command's standard input, and the database's never in the clear.
        facts: What the server told of itself.
        code: The daemons' own code, path below ``src`` (``stillup/heartbeat/core.py``) to text.
        keeps_old: On the database server, the site's old account stays valid beside the new one.
    """
    fragments = [base.wanted(farm, server)]
    if facts.filters:
        fragments.append(firewall.wanted(farm, server, facts))
    if Role.DATABASE in server.roles:
        fragments.append(_database(farm, server, secrets, code, keeps_old=keeps_old))
    fragments.append(arbiter.wanted(farm, server, secrets))
    fragments.append(nfs.wanted(farm, server))
    fragments.append(storage.wanted(farm, server, code))
    if Role.WEB in server.roles:
        fragments.append(database_proxy.wanted(farm, server))
        fragments.append(web.wanted(farm, server, secrets, facts))
    if Role.BALANCER in server.roles:
        fragments.append(balancer.wanted(farm, server, secrets))
    fragments.append(heartbeat.wanted(farm, server, secrets, facts, code))
    return merge(farm.name, server.name, fragments)


def _database(
    farm: Farm,
    server: Server,
    secrets: Secrets,
    code: Mapping[str, str],
    *,
    keeps_old: bool,
) -> Bundle:
    if len(farm.having(Role.DATABASE)) > 1:
        return galera.wanted(farm, server, secrets, code, keeps_old=keeps_old)
    return database.wanted(farm, server, secrets, keeps_old=keeps_old)
