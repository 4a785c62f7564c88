"""What is to be done, in which order, so that the farm serves all the while (pure).

The rules:

* The storage first, then the database, the web servers, the balancers: nothing sends to what is
  not there yet. A server with several roles goes with the first of them.
* What was never applied serves nobody: such servers are changed at once, side by side. A new
  balancer comes after the old ones, when these know it as a voter already.
* What serves is changed one after another: ill servers first, the virtual IP's holder last. A
  web server is drained at every balancer before, if another can serve meanwhile; a balancer
  hands the virtual IP over before, if the change would disturb it; the next one's turn comes
  when the last is up again.
* Servers that keep copies of the same are changed while the others have theirs whole
  (``keeping.py``).
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

from stillup.deploy.births import founding
from stillup.deploy.copies import KEPT
from stillup.deploy.keeping import keepers, taking_lead
from stillup.deploy.membership import rounds
from stillup.deploy.refusals import Refusal, refusals, warnings
from stillup.deploy.standing import BY_APPLY, Standing
from stillup.deploy.steps import (
    AwaitHolder,
    AwaitUp,
    Change,
    Drain,
    FirstRelease,
    Resume,
    Step,
    Undrain,
)
from stillup.deploy.turns import rank, turn
from stillup.deploy.view import ORDER, Situation
from stillup.model.farm import Role


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
    steps += taking_lead(situation)
    steps += founding(situation)
    for role in ORDER:
        steps += (keepers if role in KEPT else _phase)(situation, role)
        if role is Role.WEB:
            steps += _first_releases(situation)
    if situation.accounts_to_renew:
        steps = _keeping_old(situation, steps)
        if not situation.unreached:
            # Of several database servers one tells the others.
            steps.append(Change(situation.accounts_to_renew[:1]))
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
        (name for name in servers if name not in new), key=lambda name: rank(situation, name)
    )
    side_by_side: list[Step] = [Change(new)] if new else []
    one_by_one: list[Step] = []
    for position, name in enumerate(old):
        one_by_one += turn(situation, name, before=old[:position])
    if role is Role.BALANCER:
        return one_by_one + side_by_side
    return side_by_side + one_by_one


def _keeping_old(situation: Situation, steps: list[Step]) -> list[Step]:
    databases = {server.name for server in situation.farm.having(Role.DATABASE)}
    return [
        replace(step, keeps_old=True)
        if isinstance(step, Change) and databases & {*step.servers}
        else step
        for step in steps
    ]


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
