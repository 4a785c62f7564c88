"""What the database and the storage survive, in words: how many servers, and who breaks ties.

Both go on while a majority of the servers that vote for them lives and one of these has the
data. Losses are counted as happening at once, which is the harder case: a Galera cluster whose
members go one by one counts its majority anew after each.
"""

from dataclasses import dataclass

from stillup.model.farm import Farm, Role, Server
from stillup.model.problems import joined
from stillup.model.tiebreakers import database_arbiter, first_of, storage_arbiter


@dataclass(frozen=True, slots=True)
class Redundancy:
    """How a role with votes stands by the farm file alone.

    Args:
        role: ``Role.DATABASE`` or ``Role.STORAGE``.
        servers: Those that keep the data, in the farm file's order.
        tie_breaker: The server that votes without keeping any; None where none is needed, or
            none is left to do it.
        survives: Any so many of all of these may be lost at once.
        text: All of it, as a sentence.
    """

    role: Role
    servers: tuple[str, ...]
    tie_breaker: str | None
    survives: int
    text: str


def redundancy(farm: Farm) -> tuple[Redundancy, ...]:
    """Return how the database stands, and the storage where there is any."""
    arbiters = {Role.DATABASE: database_arbiter(farm), Role.STORAGE: storage_arbiter(farm)}
    return tuple(
        _of(farm, role, arbiter) for role, arbiter in arbiters.items() if farm.having(role)
    )


def _of(farm: Farm, role: Role, arbiter: Server | None) -> Redundancy:
    servers = tuple(server.name for server in farm.having(role))
    survives = survived(len(servers), tie_breaker=arbiter is not None)
    return Redundancy(
        role,
        servers,
        arbiter.name if arbiter else None,
        survives,
        _in_words(role, servers, arbiter, survives),
    )


def survived(servers: int, *, tie_breaker: bool) -> int:
    """Return how many of the servers and their tie-breaker may be lost at once, whichever."""
    votes = servers + tie_breaker
    return min(votes - (votes // 2 + 1), servers - 1)


def _in_words(role: Role, servers: tuple[str, ...], arbiter: Server | None, survives: int) -> str:
    if len(servers) == 1:
        return f"{servers[0]} keeps the {role} alone"
    told = f"{joined(servers)} each keep the whole {role}"
    if arbiter is not None:
        told += (
            f"; half of an even number is no majority, so {arbiter.name} votes with them and keeps "
            f"none of it (the last {_word(arbiter)} of the file without that role)"
        )
    lost = f"any {survives}" if survives else "none"
    return f"{told}; it survives the loss of {lost} of these {len(servers) + bool(arbiter)}"


def _word(server: Server) -> str:
    role = first_of(server)
    return str(role) if role is Role.BALANCER else f"{role} server"
