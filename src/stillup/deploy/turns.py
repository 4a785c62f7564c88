"""One serving server's turn in an apply: out of the way, changed, well, back again (pure)."""

from collections.abc import Sequence

from stillup.deploy.impact import disturbs_address, disturbs_vote, stops_database
from stillup.deploy.standing import BY_APPLY, Standing
from stillup.deploy.steps import (
    AwaitUp,
    AwaitVote,
    Change,
    Drain,
    Resume,
    Step,
    TakeLead,
    Undrain,
    Yield,
)
from stillup.deploy.view import Situation


def rank(situation: Situation, name: str) -> int:
    """Return a number that puts a server in its place in the order, lower ones first.

    Ill first: they have nothing to lose, and the others can serve for the next one then. Last
    who holds the virtual IP, or is the one that the database is written to.
    """
    if situation.standings[name].holding or situation.standings[name].leading:
        return 2
    is_well = name not in situation.webs or (
        situation.is_up(name) and not situation.drained_by(name, BY_APPLY)
    )
    return 1 if is_well else 0


def turn(
    situation: Situation, name: str, *, before: Sequence[str], joined: Sequence[str] = ()
) -> list[Step]:
    """Return the steps of a serving server's turn.

    Args:
        situation: The farm.
        name: The server.
        before: Those that had their turn by then.
        joined: New ones that run by then: users may come by the balancers among them, too.
    """
    standing = situation.standings[name]
    seen = situation.seen_by(name)
    at = (*seen, *(each for each in joined if seen and each in situation.balancers))
    drains = situation.may_drain(name, before)
    peers = situation.peers(name)
    stands = name in situation.balancers and not _is_to_stand(standing)
    # One that is to be no balancer any more may hold the address still.
    yields = (stands or standing.holding) and bool(peers) and disturbs_address(standing)
    steps: list[Step] = []
    if drains:
        steps.append(Drain(name, at))
    if yields:
        steps.append(Yield(name, peers))
    # On purpose, rows wait for less than when the one that is written to stops.
    if stops_database(standing) and (heir := situation.heir(name)):
        steps.append(TakeLead(heir))
    steps.append(Change((name,)))
    if disturbs_vote(standing):
        steps.append(AwaitVote((name,)))
    if name in situation.balancers and (yields or standing.yielding):
        steps.append(Resume(name))
    if drains or situation.drained_by(name, BY_APPLY):
        steps.append(Undrain(name, at))
    if at and situation.is_served_by(name):
        steps.append(AwaitUp((name,), at, must=situation.someone_is_up))
    if name in situation.balancers and standing.backends and (up := situation.up_at(name)):
        steps.append(AwaitUp(up, (name,)))
    return steps


def _is_to_stand(standing: Standing) -> bool:
    """Tell whether the server has yet to become a balancer: its heartbeat only votes."""
    side = standing.heartbeat.side if standing.heartbeat else None
    return side is not None and standing.server not in side.candidates
