"""Where the tie-breakers go: the third vote where a role with votes has an even number.

Half of an even number is no majority, so a server of another role takes part in the vote and
keeps none of the data: Galera's ``garbd``, or the arbiter brick of Gluster. It goes to a web
server before a storage or database server before a balancer, as a web server is the one that a
farm has most of and misses least, and a balancer has the votes for the virtual IP to think of;
among several to the last of the farm file. Only the farm file decides, so that every server
comes to the same result.
"""

from stillup.model.farm import Farm, Role, Server


def database_arbiter(farm: Farm) -> Server | None:
    """Return the server that votes for the database without keeping it.

    None where the database servers are odd in number, or every server is one of them.
    """
    if len(farm.having(Role.DATABASE)) % 2:
        return None
    return _last_without(farm, Role.DATABASE)


def storage_arbiter(farm: Farm) -> Server | None:
    """Return the server that votes for the storage without keeping it.

    None unless there are two storage servers, or where every server is one of them.
    """
    if len(farm.having(Role.STORAGE)) != 2:
        return None
    return _last_without(farm, Role.STORAGE)


def voters(farm: Farm, role: Role) -> tuple[Server, ...]:
    """Return every server that votes for the database or for the storage, the tie-breaker last."""
    arbiter = database_arbiter(farm) if role is Role.DATABASE else storage_arbiter(farm)
    return farm.having(role) + ((arbiter,) if arbiter else ())


def first_of(server: Server) -> Role:
    """Return the role for which a server is chosen to break ties."""
    return next(role for role in _PREFERRED if role in server.roles)


_PREFERRED = (Role.WEB, Role.STORAGE, Role.DATABASE, Role.BALANCER)


def _last_without(farm: Farm, role: Role) -> Server | None:
    free = [server for server in farm.servers if role not in server.roles]
    # The first of those that are equally good, so from the end of the file.
    return min(reversed(free), key=lambda server: _PREFERRED.index(first_of(server)), default=None)
