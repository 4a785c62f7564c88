"""Facts that several rules of the judge need, drawn from one look at the farm.

Everything here is a plain function of the farm and what was observed. A fact that nobody
could tell is None or an empty tuple, and the rules say so rather than guess.
"""

from collections import Counter
from collections.abc import Mapping

from stillup.model.farm import Farm, Role, Server
from stillup.status.observed import Backend, Observed, Reached

HEARD_WITHIN_LEASES = 4
"""A voter not heard for so many leases does not vote: four renewals fit into one lease."""


def claims(farm: Farm, observed: Observed, address: str) -> tuple[str, ...]:
    """Return the servers that say they hold ``address`` right now, in the farm's order."""
    return tuple(
        server.name
        for server in farm.servers
        if (seen := observed.reached(server.name)) is not None
        and seen.heartbeat is not None
        and address in seen.heartbeat.holding
    )


def holder(farm: Farm, observed: Observed, address: str) -> str | None:
    """Return who holds ``address``: by its own word, else by the others'.

    A holder that does not answer us may still answer the users: then the daemons that
    voted for it know. A server that answers and does not claim the address is no holder,
    whatever others believe; their word is older than its own.
    """
    claiming = claims(farm, observed, address)
    votes = Counter(
        name
        for seen in reached(observed)
        if seen.heartbeat is not None and (name := seen.heartbeat.believed.get(address)) is not None
    )
    if claiming:
        return max(claiming, key=lambda name: (votes[name], -claiming.index(name)))
    silent = [name for name, _ in votes.most_common() if observed.reached(name) is None]
    return silent[0] if silent else None


def reached(observed: Observed) -> tuple[Reached, ...]:
    """Return every server that answered."""
    return tuple(seen for seen in observed.servers if isinstance(seen, Reached))


def seen_with(farm: Farm, observed: Observed, role: Role) -> tuple[Reached, ...]:
    """Return the servers with ``role`` that answered, in the farm's order."""
    found = (observed.reached(server.name) for server in farm.having(role))
    return tuple(seen for seen in found if seen is not None)


def fit(seen: Reached | None) -> bool:
    """Whether a balancer could hold the address: HAProxy answers and its daemon stands."""
    return (
        seen is not None
        and seen.backends is not None
        and seen.heartbeat is not None
        and seen.heartbeat.healthy
    )


def views(farm: Farm, observed: Observed, web: str) -> dict[str, Backend]:
    """Return how each balancer that answered sees the web server ``web``."""
    return {
        balancer.name: backend
        for balancer in seen_with(farm, observed, Role.BALANCER)
        if balancer.backends is not None and (backend := balancer.backends.get(web)) is not None
    }


def deciding_view(farm: Farm, observed: Observed) -> Mapping[str, Backend] | None:
    """Return the web servers as the users' balancer sees them.

    That is the holder's view; when the holder is not known or did not answer, that of the
    first balancer that did; None when none did.
    """
    names = [
        *(holder(farm, observed, str(address)) for address in farm.vip.addresses),
        *(server.name for server in farm.having(Role.BALANCER)),
    ]
    seen = (observed.reached(name) for name in names if name is not None)
    return next((s.backends for s in seen if s is not None and s.backends is not None), None)


def web_up(farm: Farm, observed: Observed) -> tuple[str, ...] | None:
    """Return the web servers that get new users; None when no balancer could be asked."""
    view = deciding_view(farm, observed)
    if view is None:
        return None
    return tuple(
        server.name
        for server in farm.having(Role.WEB)
        if (backend := view.get(server.name)) is not None and backend.up
    )


def majority(farm: Farm) -> int:
    """Return how many votes move an address: more than half of the farm's servers."""
    return len(farm.servers) // 2 + 1


def voting(farm: Farm, observed: Observed) -> tuple[str, ...]:
    """Return the servers whose vote counts right now.

    The holder knows best: it hears its voters four times a lease. Without a holder that
    answers, a server votes when its daemon answers.
    """
    ear = _ear(farm, observed)
    return tuple(server.name for server in farm.servers if _votes(farm, observed, server, ear))


def unheard(farm: Farm, observed: Observed) -> tuple[str, ...]:
    """Return the servers whose daemon runs and whom the holder does not hear."""
    counted = voting(farm, observed)
    return tuple(
        seen.name
        for seen in reached(observed)
        if seen.heartbeat is not None and seen.name not in counted
    )


def _ear(farm: Farm, observed: Observed) -> Reached | None:
    for address in farm.vip.addresses:
        name = holder(farm, observed, str(address))
        seen = observed.reached(name) if name is not None else None
        if seen is not None and seen.heartbeat is not None and seen.heartbeat.heard_ms:
            return seen
    return None


def _votes(farm: Farm, observed: Observed, server: Server, ear: Reached | None) -> bool:
    if ear is None or ear.heartbeat is None or ear.name == server.name:
        seen = observed.reached(server.name)
        return seen is not None and seen.heartbeat is not None
    heard_ms = ear.heartbeat.heard_ms.get(server.name)
    return heard_ms is not None and heard_ms < farm.vip.lease_s * 1000 * HEARD_WITHIN_LEASES
