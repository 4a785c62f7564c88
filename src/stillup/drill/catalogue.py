"""Every fault that a farm can be drilled with, in sets (pure).

The order is the one in which they are played: nothing first, then what takes one server or less,
then more, and last what is done on purpose.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from types import MappingProxyType

from stillup.drill.engines import engines
from stillup.drill.fault import Action, Fault
from stillup.model.farm import Farm, Role, Server

CONTROL = Fault(Action.NONE)
LOST_PERCENT = 30
SETS: Mapping[str, str] = MappingProxyType(
    {
        "short": "a few of each, in less than 8 minutes",
        "single": "everything that can befall one server: servers and engines",
        "servers": "each server: its power, its network, its disk, its processor",
        "engines": "each engine on each server: killed, and hung",
        "links": "each two servers that no longer hear each other",
        "partitions": "the farm in two halves, and each role alone",
        "pairs": "any two servers without power",
        "roles": "all servers of a role, and all of an engine, at once; and every server",
        "planned": "what is done on purpose, where nothing may fail",
        "all": "all of these",
    }
)
"""The sets by name, with what is in them."""

_WHOLE = (Action.POWER_OFF, Action.REBOOT, Action.HANG, Action.CUT)
_STRAINED = (Action.FULL_DISK, Action.SLOW_DISK, Action.BUSY_CPU)
_CHECKED = ("haproxy", "nginx", "php", "mariadb")
"""Engines with a checker of their own for their configuration."""


def catalogue(farm: Farm) -> tuple[Fault, ...]:
    """Return every fault of a farm, each once, the control first."""
    return in_set(farm, "all")


def in_set(farm: Farm, name: str) -> tuple[Fault, ...]:
    """Return one of ``SETS``, each fault once, in the order in which they are played."""
    wanted = {CONTROL, *_MADE[name](farm)}
    return tuple(fault for fault in dict.fromkeys([CONTROL, *_all(farm)]) if fault in wanted)


def _all(farm: Farm) -> Iterator[Fault]:
    for each in (_single, _links, _partitions, _pairs, _roles, _planned):
        yield from each(farm)


def _single(farm: Farm) -> Iterator[Fault]:
    yield from _servers(farm)
    yield from _engines(farm)


def _servers(farm: Farm) -> Iterator[Fault]:
    for server in farm.servers:
        name = (server.name,)
        yield from (Fault(action, name) for action in _WHOLE)
        yield Fault(Action.CUT, name, one_way=True)
        # From all of the farm, and users reach it still.
        if len(farm.servers) > 2:
            yield _between(farm, name)
        yield Fault(Action.LOSS, name, percent=LOST_PERCENT)
        yield from (Fault(action, name) for action in _STRAINED)


def _engines(farm: Farm) -> Iterator[Fault]:
    for server in farm.servers:
        for engine in engines(farm, server):
            yield Fault(Action.KILL, (server.name,), engine)
            yield Fault(Action.HANG, (server.name,), engine)


def _links(farm: Farm) -> Iterator[Fault]:
    for one, other in combinations(farm.servers, 2):
        yield Fault(Action.CUT, (one.name,), others=(other.name,))


def _partitions(farm: Farm) -> Iterator[Fault]:
    """Yield the farm in two: every second server of those with the same roles; each role's."""
    kinds: dict[frozenset[Role], list[Server]] = {}
    for server in farm.servers:
        kinds.setdefault(server.roles, []).append(server)
    sides = [[name for alike in kinds.values() for name in _names(alike[::2])]]
    sides += [_names(farm.having(role)) for role in Role]
    for side in sides:
        if 1 < len(side) < len(farm.servers) - 1:
            yield _between(farm, _ordered(farm, side))


def _between(farm: Farm, side: tuple[str, ...]) -> Fault:
    """Return the cut between one side of the farm and the rest."""
    rest = tuple(server.name for server in farm.servers if server.name not in side)
    return Fault(Action.CUT, side, others=rest)


def _pairs(farm: Farm) -> Iterator[Fault]:
    for one, other in combinations(farm.servers, 2):
        yield Fault(Action.POWER_OFF, (one.name, other.name))


def _roles(farm: Farm) -> Iterator[Fault]:
    for servers in (*(farm.having(role) for role in Role), farm.servers):
        if len(servers) > 1:
            yield Fault(Action.POWER_OFF, tuple(_names(servers)))
    having: dict[str, list[str]] = {}
    for server in farm.servers:
        for engine in engines(farm, server):
            having.setdefault(engine, []).append(server.name)
    for engine, names in having.items():
        if len(names) > 1:
            yield Fault(Action.KILL, tuple(names), engine)
            yield Fault(Action.HANG, tuple(names), engine)


def _planned(farm: Farm) -> Iterator[Fault]:
    if len(farm.having(Role.BALANCER)) > 1:
        yield Fault(Action.FAILOVER)
    if len(farm.having(Role.WEB)) > 1:
        yield from (Fault(Action.DRAIN, (web.name,)) for web in farm.having(Role.WEB))
    yield Fault(Action.RELEASE)
    yield Fault(Action.APPLY)
    yield from (Fault(Action.BAD_CONFIG, engine=engine) for engine in _CHECKED)
    yield Fault(Action.REBOOTS)


def _short(farm: Farm) -> Iterator[Fault]:
    """Yield one of each that matters most.

    Whoever holds the address when a drill begins depends on the drills before it, so every
    balancer has its turn: one of them is the holder.
    """
    balancers, web = farm.having(Role.BALANCER), farm.having(Role.WEB)[0].name
    keepers = [*farm.having(Role.DATABASE)[:1], *farm.having(Role.STORAGE)[:1]]
    losing = dict.fromkeys([*_names(balancers[:2]), web, *_names(keepers)])
    yield from (Fault(Action.POWER_OFF, (name,)) for name in losing)
    yield Fault(Action.CUT, (balancers[-1].name,))
    yield Fault(Action.KILL, (balancers[0].name,), "haproxy")
    yield Fault(Action.HANG, (balancers[-1].name,), "heartbeat")
    yield Fault(Action.KILL, (web,), "php")
    yield from list(_planned(farm))[:1]
    yield Fault(Action.RELEASE)


def _names(servers: tuple[Server, ...] | list[Server]) -> list[str]:
    return [server.name for server in servers]


def _ordered(farm: Farm, names: list[str]) -> tuple[str, ...]:
    return tuple(server.name for server in farm.servers if server.name in names)


_MADE: Mapping[str, Callable[[Farm], Iterator[Fault]]] = {
    "short": _short,
    "single": _single,
    "servers": _servers,
    "engines": _engines,
    "links": _links,
    "partitions": _partitions,
    "pairs": _pairs,
    "roles": _roles,
    "planned": _planned,
    "all": _all,
}
