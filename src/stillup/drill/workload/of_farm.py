"""Which workload a farm gets (pure)."""

import math
from dataclasses import replace

from stillup.drill.history import Kind
from stillup.drill.workload.settings import LOADS, Load, Settings
from stillup.model.farm import Farm, Role

_HTTP, _HTTPS = 80, 443
_WRITERS_SHARE = 0.75
"""Of what one address may send at once, for rows; some of the rest is for files."""


_LEAST_PER_S = 10.0
_NEW_OVER_TLS = 0.25
"""Of the new connections: each costs as much as ten pages then, and a browser keeps what it has."""


def settings_for(farm: Farm, token: str, *, first: int = 1, share: float = 1.0) -> Settings:
    """Return the settings for a farm.

    Rows are not asked of a farm without a database, nor files of one without shared folders.

    Args:
        farm: Through whose first virtual IP is asked.
        token: The unguessable part of the probe pages' path.
        first: The first number of each kind; every drill of a run has numbers of its own.
        share: How much of the usual pace: 0.5 for half of it, on half as many open connections.
    """
    loads = {kind: _part(load, share) for kind, load in LOADS.items()}
    may_send = max(2, farm.balancer.maxconn_per_server * len(farm.having(Role.WEB)) // 2)
    loads[Kind.ROW] = _within(loads[Kind.ROW], int(may_send * _WRITERS_SHARE))
    loads[Kind.FILE] = _within(loads[Kind.FILE], may_send - loads[Kind.ROW].at_once)
    if farm.tls.enabled:
        _move(loads, Kind.NEW, Kind.KEPT, 1 - _NEW_OVER_TLS)
    loads = {kind: load if kind is Kind.DOWNLOAD else _seen(load) for kind, load in loads.items()}
    if not farm.having(Role.DATABASE):
        del loads[Kind.ROW], loads[Kind.SESSION]
    if not farm.site.shared:
        del loads[Kind.FILE]
    return Settings(
        str(farm.vip.first),
        farm.site.hosts[0],
        token,
        port=_HTTPS if farm.tls.enabled else _HTTP,
        tls=farm.tls.enabled,
        first=first,
        loads=loads,
    )


def _part(load: Load, share: float) -> Load:
    """Return a part of the load.

    Its connections are used as often as before: after a takeover each of them is reset when it is
    used next, and with fewer uses that would go on for longer than the fault.
    """
    most = min(load.at_once, math.ceil(load.connections * share))
    return replace(load, per_s=load.per_s * share, connections=most)


def _seen(load: Load) -> Load:
    """Return the load, at a pace at which a gap is told from the pace; downloads have none."""
    return replace(load, per_s=max(load.per_s, _LEAST_PER_S))


def _move(loads: dict[Kind, Load], giver: Kind, taker: Kind, share: float) -> None:
    """Have ``taker`` asked for a share of what ``giver`` was asked for."""
    moved = loads[giver].per_s * share
    loads[giver] = replace(loads[giver], per_s=loads[giver].per_s - moved)
    loads[taker] = replace(loads[taker], per_s=loads[taker].per_s + moved)


def _within(load: Load, most: int) -> Load:
    return replace(load, at_once=min(load.at_once, most), connections=min(load.connections, most))
