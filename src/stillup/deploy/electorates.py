"""Whether old and new votes could give the virtual IP to two servers on the way (pure).

While a changed list of servers or balancers is rolled out, some servers vote by the old one and
some by the new. Servers count each other's votes only where both lists are equal, and one that
changes sides is silent first. So the farm falls into *sides*, one a list, and two holders are
possible exactly when two sides both have enough votes at some moment. This goes through the
steps of the plan as they come and asks that after each of them.

Whoever is not reached or tells nothing may be on any side; whoever left the farm file stays on
the old one for ever.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from stillup.deploy.steps import Change, Step
from stillup.deploy.view import Situation
from stillup.heartbeat.quorum import Electorate
from stillup.model.farm import Role

ANY_LEASE_S = 1.0
"""Enough is the same for every lease, so two lists that differ by it alone are one here."""


@dataclass(frozen=True, slots=True)
class Parting:
    """A moment at which two sides could each have a holder."""

    old: Electorate
    new: Electorate


def wanted(situation: Situation) -> Electorate:
    """Return who votes and who stands when everything is done."""
    farm = situation.farm
    return _electorate(
        (server.name for server in farm.servers),
        (server.name for server in farm.having(Role.BALANCER)),
    )


def told(situation: Situation) -> dict[str, Electorate]:
    """Return by which list each server votes now, of those that tell it."""
    return {
        name: _electorate({*heartbeat.voters, name}, heartbeat.candidates)
        for name, standing in situation.standings.items()
        if (heartbeat := standing.heartbeat) and heartbeat.voters and heartbeat.candidates
    }


def parting(situation: Situation, steps: Iterable[Step]) -> Parting | None:
    """Return the first moment of ``steps`` at which two holders are possible; None for never."""
    new, now = wanted(situation), told(situation)
    olds = sorted({*now.values()} - {new}, key=str)
    fresh = {name for name, standing in situation.standings.items() if standing.first}
    silent = {name for name in new.voters if name not in now} - fresh
    changed: set[str] = {name for name, side in now.items() if side == new}
    for group in ((), *(step.servers for step in steps if isinstance(step, Change))):
        changed |= set(group)
        sides = [(old, _left(old, now, without=changed | fresh)) for old in olds]
        for one, other in combinations([*sides, (new, changed | silent)], 2):
            if _is_enough(*one) and _is_enough(*other):
                return Parting(one[0], other[0])
    return None


def _left(old: Electorate, now: dict[str, Electorate], *, without: set[str]) -> set[str]:
    """Return who may still vote by ``old``: all that are not known to vote by another list."""
    return {name for name in old.voters if name not in without and now.get(name, old) == old}


def _is_enough(electorate: Electorate, side: set[str]) -> bool:
    return any(electorate.is_enough(side, asker) for asker in electorate.candidates)


def _electorate(voters: Iterable[str], candidates: Iterable[str]) -> Electorate:
    stand: Sequence[str] = sorted(candidates)
    return Electorate(tuple(sorted({*voters, *stand})), tuple(stand), ANY_LEASE_S)
