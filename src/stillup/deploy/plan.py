"""What is to be done, in which order, so that the farm serves all the while (pure).

The rules:

* The database first, then the web servers, then the balancers: nothing sends to what is not
  there yet. A server with several roles goes with the first of them.
* What was never applied serves nobody: such servers are changed at once, side by side. A new
  balancer comes after the old ones, when these know it as a voter already.
* What serves is changed one after another: ill servers first, the virtual IP's holder last. A
  web server is drained at every balancer before, if another can serve meanwhile; a balancer
  hands the virtual IP over before, if the change would disturb it; the next one's turn comes
  when the last is up again.
* A change of who votes, of the balancers or of the lease goes round all of this (``membership.py``).
* A new password (or name) of the site's account is taken beside the old one first, and the old
  one goes when every web server has the new.
* A web server that left the farm file is drained before anything else, as the database server
  and the firewalls forget it before the balancers do.
* What an interrupted apply had drained is undrained, what the user drained stays so.

The plan is made anew from what is seen each time, so an apply that was interrupted anywhere
is carried on by planning again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from stillup.deploy.impact import disturbs_address, disturbs_vote
from stillup.deploy.membership import rounds
from stillup.deploy.refusals import Refusal, refusals, warnings
from stillup.deploy.standing import BY_APPLY, Standing
from stillup.deploy.steps import (
    AwaitHolder,
    AwaitUp,
    AwaitVote,
    Change,
    Drain,
    FirstRelease,
    Resume,
    Step,
    Undrain,
    Yield,
)
from stillup.deploy.view import Situation
from stillup.model.farm import Role

ORDER = (Role.DATABASE, Role.WEB, Role.BALANCER)


@dataclass(frozen=True, slots=True)
class Plan:
    """Ordered steps; what speaks against beginning; what to know before."""

    steps: tuple[Step, ...]
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    standings: Mapping[str, Standing] = field(default_factory=dict, repr=False)
    again: bool = False
    """An earlier change of who votes is completed first; the rest is for another apply."""


def plan(situation: Situation) -> Plan:
    """Decide what an apply does in ``situation``; no steps when nothing is to be done."""
    # First of all: the database server knows a web server that has left no more.
    steps: list[Step] = [Drain(web, at, for_good=True) for web, at in situation.leaving.items()]
    steps += _leftovers(situation)
    for role in ORDER:
        steps += _phase(situation, role)
        if role is Role.WEB:
            steps += _first_releases(situation)
    for name in situation.accounts_to_renew:
        steps = _keeping_old(steps, name)
        if not situation.unreached:
            steps.append(Change((name,)))
    changing = rounds(situation)
    if changing is not None:
        steps = [*changing.before, *([] if changing.alone else steps), *changing.after]
    again = changing is not None and changing.alone
    if steps and not again:
        steps += _at_the_end(situation)
    return Plan(
        tuple(steps),
        refusals(situation, changing),
        warnings(situation),
        dict(situation.standings),
        again=again,
    )


def _leftovers(situation: Situation) -> Iterable[Step]:
    """Give back what an interrupted apply took away, unless the server's own turn will."""
    for balancer in situation.balancers:
        if situation.standings[balancer].yielding and not situation.to_change(balancer):
            yield Resume(balancer)
    for web in situation.webs:
        at = tuple(
            balancer
            for balancer, backend in situation.seen_by(web).items()
            if backend.drained_by == BY_APPLY
        )
        if at and not situation.to_change(web):
            yield Undrain(web, at)


def _phase(situation: Situation, role: Role) -> list[Step]:
    servers = [name for name in situation.turn_of(role) if situation.to_change(name)]
    new = tuple(name for name in servers if situation.standings[name].first)
    old = sorted(
        (name for name in servers if name not in new), key=lambda name: _rank(situation, name)
    )
    side_by_side: list[Step] = [Change(new)] if new else []
    one_by_one: list[Step] = []
    for position, name in enumerate(old):
        one_by_one += _turn(situation, name, before=old[:position])
    if role is Role.BALANCER:
        return one_by_one + side_by_side
    return side_by_side + one_by_one


def _rank(situation: Situation, name: str) -> int:
    """Ill first: they have nothing to lose, and the others can serve for the next one then."""
    if situation.standings[name].holding:
        return 2
    is_well = name not in situation.webs or (
        situation.is_up(name) and not situation.drained_by(name, BY_APPLY)
    )
    return 1 if is_well else 0


def _turn(situation: Situation, name: str, *, before: list[str]) -> list[Step]:
    """Return one serving server's turn: out of the way, changed, well, back again."""
    standing = situation.standings[name]
    at = tuple(situation.seen_by(name))
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


def _keeping_old(steps: list[Step], database: str) -> list[Step]:
    return [
        replace(step, keeps_old=True)
        if isinstance(step, Change) and step.servers == (database,)
        else step
        for step in steps
    ]


def _is_to_stand(standing: Standing) -> bool:
    """Tell whether the server has yet to become a balancer: its heartbeat only votes."""
    side = standing.heartbeat.side if standing.heartbeat else None
    return side is not None and standing.server not in side.candidates


def _first_releases(situation: Situation) -> list[Step]:
    if situation.release is None or not situation.without_release:
        return []
    return [FirstRelease(situation.without_release, situation.release)]


def _at_the_end(situation: Situation) -> list[Step]:
    """Do not say done before the page is there."""
    webs = tuple(
        web
        for web in situation.webs
        if web in situation.standings
        and not situation.is_kept_drained(web)
        and (situation.is_up(web) or situation.to_change(web) or web in situation.without_release)
    )
    balancers = situation.balancers
    if not balancers:
        return []
    return [*([AwaitUp(webs, balancers)] if webs else []), AwaitHolder(balancers)]
