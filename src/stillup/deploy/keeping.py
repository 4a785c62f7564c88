"""The turns of those who keep copies: the storage and the database servers (pure).

The rules, where several servers keep a copy of the same:

* All that are new are changed side by side, with the tie-breaker if that is new: none of them can
  be whole before the others are there.
* One that replaces a dead one of the same name comes first, as the others know it already and are
  whole only with it; one that is wholly new comes last, when the others let it in.
* Of the database servers, one that is not well comes first, while another one is. Any other server
  is changed only while all copies are whole, one after another, the one that is written to last.
  With files, not whole may mean that a server has what another one still lacks.
* Who has left the farm file does not go on leading.
"""

from collections.abc import Iterable, Sequence

from stillup.deploy.copies import KEPT, heir
from stillup.deploy.steps import AwaitWhole, Change, Step, TakeLead
from stillup.deploy.turns import rank, turn
from stillup.deploy.view import Situation
from stillup.model.farm import Role


def keepers(situation: Situation, role: Role) -> list[Step]:
    """Return the turns of the servers whose turn comes with ``role``, one that is kept."""
    servers = [name for name in situation.turn_of(role) if situation.to_change(name)]
    new = [name for name in servers if situation.standings[name].first]
    back = [name for name in new if situation.is_known(name)]
    fresh = [name for name in new if name not in back]
    old = sorted(
        (name for name in servers if name not in new), key=lambda name: rank(situation, name)
    )
    # Where one comes back, the others may be not whole for the lack of it alone.
    ill = [name for name in old if not back and _has_nothing_to_lose(situation, name)]
    well = [name for name in old if name not in ill]
    there = [name for name, standing in situation.standings.items() if not standing.first]
    told = [name for name in there if situation.standings[name].copies]
    steps: list[Step] = [Change(tuple(back))] if back else []
    for name in ill:
        steps += turn(situation, name, before=())
    if back or ill or well:
        steps += _whole(situation, [*told, *back], concerning=[*back, *ill, *well])
    for position, name in enumerate(well):
        steps += turn(situation, name, before=well[:position], joined=back)
        steps += _whole(situation, [*there, *back], concerning=[name])
    if fresh:
        steps.append(Change(tuple(fresh)))
        steps += _whole(situation, [*there, *new], concerning=fresh)
    return steps


def _has_nothing_to_lose(situation: Situation, name: str) -> bool:
    own = situation.copy(name, Role.DATABASE)
    others = [situation.copy(other, Role.DATABASE) for other in situation.standings]
    files = [situation.copy(other, Role.STORAGE) for other in situation.standings]
    return (
        own is not None
        and not own.well
        and any(copy.well for copy in others if copy)
        and all(copy.well for copy in files if copy)
    )


def taking_lead(situation: Situation) -> list[Step]:
    """Have a server that stays be written to, if it is one that leaves now."""
    role = Role.DATABASE
    staying = [server.name for server in situation.farm.having(role)]
    taker = heir({name: situation.copy(name, role) for name in staying})
    return [TakeLead(taker)] if taker and situation.departing(role) else []


def _whole(
    situation: Situation, there: Sequence[str], *, concerning: Sequence[str]
) -> Iterable[Step]:
    """Wait for the copies of all who are there, of whatever those concerned keep."""
    for role in KEPT:
        if not any(role in situation.kept_by(name) for name in concerning):
            continue
        names = [server.name for server in situation.farm.having(role) if server.name in there]
        if names:
            left_out = any(
                server.name in situation.unreached for server in situation.farm.having(role)
            )
            yield AwaitWhole(role, tuple(names), must=not left_out)
