"""How each address, each server and each kind of server stands, in a line each."""

from collections.abc import Iterator

from stillup.model.farm import Farm, Role, Server
from stillup.model.tiebreakers import database_arbiter, storage_arbiter
from stillup.status import picture, rules_database
from stillup.status.observed import Backend, Observed, Reached, Unreached
from stillup.status.verdict import Finding, Redundancy, ServerStanding, Severity, VipStanding

_STORAGES = "storage servers"
_NFS = "nfs-server.service"
_UNREACHED = {"server-refused": "does not let us in", "server-failed": "cannot tell"}


def vip_standing(farm: Farm, observed: Observed, address: str) -> VipStanding:
    """Return who answers for ``address`` and for how long."""
    name = picture.holder(farm, observed, address)
    seen = observed.reached(name) if name is not None else None
    told = seen.heartbeat.since_s if seen is not None and seen.heartbeat is not None else {}
    since_s = told.get(address)
    return VipStanding(address, name, since_s, picture.claims(farm, observed, address))


def server_standing(
    farm: Farm, observed: Observed, server: Server, problems: tuple[Finding, ...]
) -> ServerStanding:
    """Return one server's line, with the worst severity among ``problems`` that name it."""
    here = [finding.severity for finding in problems if finding.server == server.name]
    worst = next((s for s in (Severity.DOWN, Severity.RISK, Severity.NOTE) if s in here), None)
    seen = observed.reached(server.name)
    views = picture.views(farm, observed, server.name)
    return ServerStanding(
        name=server.name,
        address=str(server.address),
        roles=tuple(role for role in Role if role in server.roles),
        reachable=seen is not None,
        severity=worst,
        state=_no_state(observed, server) if seen is None else _state(farm, observed, server, seen),
        seen_as={balancer: _word(backend) for balancer, backend in views.items()},
    )


def redundancy(farm: Farm, observed: Observed) -> tuple[Redundancy, ...]:
    """Return how many of each kind work; a kind that nobody could tell of counts none."""
    balancers, webs = farm.having(Role.BALANCER), farm.having(Role.WEB)
    fit = [s for s in balancers if picture.fit(observed.reached(s.name))]
    # HAProxy takes a second to see a death: what does not answer us is not counted upon.
    up = [n for n in picture.web_up(farm, observed) or () if observed.reached(n) is not None]
    voting = picture.voting(farm, observed)
    return (
        Redundancy("balancers", len(fit), len(balancers), 1),
        Redundancy("web servers", len(up), len(webs), 1),
        Redundancy("votes", len(voting), len(farm.servers), picture.majority(farm)),
        _databases(farm, observed),
        *(_storages(farm, observed) if farm.having(Role.STORAGE) else ()),
    )


def _no_state(observed: Observed, server: Server) -> str:
    codes = {one.name: one.code for one in observed.servers if isinstance(one, Unreached)}
    return _UNREACHED.get(codes.get(server.name, ""), "no answer")


def _state(farm: Farm, observed: Observed, server: Server, seen: Reached) -> str:
    if seen.unfinished:
        return "a change is unfinished"
    if seen.applied_at_s is None:
        return "nothing applied yet"
    words = []
    if Role.BALANCER in server.roles:
        words.append(_balancer_state(farm, seen))
    if Role.WEB in server.roles:
        words.append(_web_state(picture.views(farm, observed, server.name)))
    if Role.DATABASE in server.roles:
        words.append(_database_state(seen))
    if seen.files_copy is not None:
        words.append("files whole" if seen.files_copy.well else "files not whole")
    return ", ".join(words)


def _databases(farm: Farm, observed: Observed) -> Redundancy:
    """Return how many databases work and how many must: of a group, a majority of its votes."""
    total = len(farm.having(Role.DATABASE))
    if total == 1:
        seen = picture.seen_with(farm, observed, Role.DATABASE)
        alive = [one for one in seen if one.database is not None and one.database.alive]
        return Redundancy("databases", len(alive), total, 1)
    well = [copy for copy in rules_database.copies(farm, observed).values() if copy.well]
    # A majority of all who vote must live, and the arbiter, who keeps nothing, is one of them.
    arbiters = int(database_arbiter(farm) is not None)
    needed = (total + arbiters) // 2 + 1 - arbiters
    here = max((copy.size for copy in well), default=0)
    is_short = bool(arbiters and well and here <= len(well))
    return Redundancy("databases", len(well), total, needed, missing_votes=int(is_short))


def _storages(farm: Farm, observed: Observed) -> Iterator[Redundancy]:
    """Yield how many storage servers work and how many must, as with the database.

    While a vote is away or files are still to heal, none may die: the copy that is behind may be
    the other one.
    """
    total = len(farm.having(Role.STORAGE))
    seen = picture.seen_with(farm, observed, Role.STORAGE)
    if total == 1:
        serving = [one for one in seen if one.units.get(_NFS) == "active"]
        yield Redundancy(_STORAGES, len(serving), total, 1)
        return
    copies = [one.files_copy for one in seen if one.files_copy is not None]
    arbiters = int(storage_arbiter(farm) is not None)
    needed = (total + arbiters) // 2 + 1 - arbiters
    whole = len(copies) == total and all(
        copy.well and copy.size == total + arbiters for copy in copies
    )
    missing = 0 if whole else max(0, len(copies) - needed)
    yield Redundancy(_STORAGES, len(copies), total, needed, missing_votes=missing)


def _database_state(seen: Reached) -> str:
    copy = seen.database_copy
    if copy is None:
        alive = seen.database is not None and seen.database.alive
        return "database answers" if alive else "database down"
    if not copy.well:
        return f"no current copy of the database: {copy.why}"
    return "database is written to" if copy.leads else "database follows"


def _balancer_state(farm: Farm, seen: Reached) -> str:
    held = [str(a) for a in farm.vip.addresses if _holds(seen, str(a))]
    if held:
        return f"holds {', '.join(held)}"
    return "standing by" if picture.fit(seen) else "unfit"


def _holds(seen: Reached, address: str) -> bool:
    return seen.heartbeat is not None and address in seen.heartbeat.holding


def _web_state(views: dict[str, Backend]) -> str:
    words = {name: _word(backend) for name, backend in views.items()}
    if not words:
        return "no balancer tells"
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return ", ".join(f"{word} at {name}" for name, word in words.items())


def _word(backend: Backend) -> str:
    if backend.drained:
        return "drained"
    return "up" if backend.up else "down"
