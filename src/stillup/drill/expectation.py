"""What a farm must endure of a fault, by its file alone (pure).

The promise is about one server. Of what takes more than that some farms can go on and others
cannot: a farm *survives* a fault when what the fault leaves can do all of the work, where

* the virtual IP needs a balancer and a quorum (``model.survival``),
* pages need a web server,
* the database and the shared files need a majority of those that vote for them, one that keeps
  them among these (``model.redundancy``).

Of a cut it is one side that has to be able to do all of it. Whatever a farm survives, lost
writes and two holders of an address are never excused. A server whose disk is full, or whose
frames are lost, counts as lost: it may be that, and no less is asked of the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from stillup.drill.fault import Action, Fault
from stillup.model.farm import Farm, Role
from stillup.model.problems import joined
from stillup.model.survival import can_be_held
from stillup.model.tiebreakers import voters

_TAKEN = {
    "heartbeat": ("vote",),
    "haproxy": ("balancer",),
    "nginx": ("web",),
    "php": ("web",),
    "database-proxy": ("web",),
    "mount": ("web",),
    "mariadb": ("database",),
    "database-keeper": ("database",),
    "arbiter": ("database",),
    "gluster": ("storage",),
}
"""What a server cannot do without its engine; without any other it can do all."""
_LOCKING = (Role.STORAGE, "mount")
_EVERYTHING = frozenset({"vote", "balancer", "web", "database", "storage"})


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the farm file says of a fault."""

    survives: bool
    why: str
    """A part of a sentence: ``any one server may die``, ``no web server is left``."""


def expectation(farm: Farm, fault: Fault) -> Expectation:
    """Return whether the farm must go on through a fault, and why."""
    if fault.planned or fault.action is Action.NONE:
        return Expectation(survives=True, why="nothing is lost")
    sides = [tuple(_lacking(farm, gone)) for gone in _gone(fault)]
    lacking = min(sides, key=len)
    if not lacking:
        return Expectation(survives=True, why="what is left can do all of the work")
    where = "of the sides of the cut none can do all of the work: " if len(sides) > 1 else ""
    return Expectation(survives=False, why=where + joined(lacking))


def touches(farm: Farm, fault: Fault, role: Role) -> bool:
    """Tell whether a fault befalls who keeps the database or the files, or votes for them.

    Of the files also whether it befalls who has them mounted: what a web server locked while it
    made a file stays locked until the storage knows that it is dead. What is planned takes nobody
    away before others can do its work.

    Args:
        farm: The farm.
        fault: The fault.
        role: ``Role.DATABASE`` or ``Role.STORAGE``.
    """
    if fault.planned:
        return False
    members = {server.name for server in voters(farm, role)}
    webs = {web.name for web in farm.having(Role.WEB)}
    if fault.others:
        # A cut among the members, or between them and the web servers that use them.
        users = members | webs
        here, there = set(fault.servers), set(fault.others)
        return bool((here & members and there & users) or (there & members and here & users))
    holders = members | webs if role is Role.STORAGE else members
    if fault.engine:
        takes = role in _TAKEN.get(fault.engine, ()) or (role, fault.engine) == _LOCKING
        return takes and bool(holders & set(fault.servers))
    return bool(holders & set(fault.servers))


def _gone(fault: Fault) -> list[dict[str, frozenset[str]]]:
    """Return what each server can no longer do; of a cut between servers, for each side of it."""
    if fault.others:
        return [dict.fromkeys(side, _EVERYTHING) for side in (fault.servers, fault.others)]
    taken = _EVERYTHING if not fault.engine else frozenset(_TAKEN.get(fault.engine, ()))
    return [dict.fromkeys(fault.servers, taken)]


def _lacking(farm: Farm, gone: dict[str, frozenset[str]]) -> Iterator[str]:
    """Yield what is missing to do all of the work."""

    def without(what: str) -> set[str]:
        return {name for name, taken in gone.items() if what in taken}

    if not can_be_held(farm, without("vote"), without("balancer")):
        yield "nobody can hold the virtual IP"
    if not {web.name for web in farm.having(Role.WEB)} - without("web"):
        yield "no web server is left"
    if not _goes_on(farm, Role.DATABASE, without("database")):
        yield _stopped(farm, Role.DATABASE)
    if farm.site.shared and not _goes_on(farm, Role.STORAGE, without("storage")):
        yield _stopped(farm, Role.STORAGE)


def _stopped(farm: Farm, role: Role) -> str:
    keepers = farm.having(role)
    if len(keepers) == 1:
        return f"{keepers[0].name} keeps the {role} alone"
    return f"the {role} has no majority"


def _goes_on(farm: Farm, role: Role, lost: set[str]) -> bool:
    """Tell whether those who keep a role's data go on without some of them."""
    members = voters(farm, role)
    keepers = {server.name for server in farm.having(role)}
    left = [server for server in members if server.name not in lost]
    return 2 * len(left) > len(members) and bool(keepers - lost)
