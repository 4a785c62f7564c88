"""Cores with one fault each in what changes whose votes count: for the simulator to find.

As in ``mutants.py``, but these faults show only in farms that change, that have a witness, or
whose servers are declared dead; each has its trial beside it.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import fields, replace

from stillup.heartbeat.candidate import Candidate
from stillup.heartbeat.core import Node, Settings
from stillup.heartbeat.events import Effect
from stillup.heartbeat.force import Declared
from stillup.heartbeat.membership import Configuration, stages
from stillup.heartbeat.messages import Accepted, Propose, Refused
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.simulator import change_trial, force_trial, witness_trial
from stillup.heartbeat.simulator.change import Kind
from stillup.heartbeat.simulator.change_trial import How, direct
from stillup.heartbeat.simulator.luck import Luck
from stillup.heartbeat.simulator.world import Build
from stillup.heartbeat.voter import Given, Voter
from stillup.heartbeat.witness import Witness

Trial = Callable[[Luck], object]
NodeLuck = Callable[[], float]


def with_electorate(kind: type[Electorate]) -> Build:
    """Return what makes nodes that count by another kind of electorate, also after a change."""

    class Wrong(Node):
        def reconfigure(self, settings: Settings, now_s: float) -> list[Effect]:
            return super().reconfigure(_with(kind, settings), now_s)

    def build(settings: Settings, incarnation: int, now_s: float, luck: NodeLuck) -> Node:
        return Wrong(_with(kind, settings), incarnation, now_s, luck)

    return build


def _with(kind: type[Electorate], settings: Settings) -> Settings:
    right = settings.electorate
    values = {field.name: getattr(right, field.name) for field in fields(right)}
    return replace(settings, electorate=kind(**values))


# -- a farm that changes -----------------------------------------------------------------------


class CountsTheNewSideOnly(Electorate):
    """Takes what is enough in the new electorate for enough under the joint one."""

    def is_enough(self, votes: Collection[str], asker: str) -> bool:
        return self._is_enough_here(votes, asker)


class CountsTheOldSideOnly(Electorate):
    """Takes what is enough in the old electorate for enough under the joint one."""

    def is_enough(self, votes: Collection[str], asker: str) -> bool:
        return (
            super().is_enough(votes, asker)
            if self.left is None
            else self.left.is_enough(votes, asker)
        )


class HoldsByTheLongerLease(Electorate):
    """Counts on a vote for the longer of the two leases."""

    @property
    def shortest_s(self) -> float:
        return max(self.lease_s, self.left.lease_s) if self.left else self.lease_s


class LendsForTheShorterLease(Electorate):
    """Lends its vote for the shorter of the two leases."""

    @property
    def longest_s(self) -> float:
        return min(self.lease_s, self.left.lease_s) if self.left else self.lease_s


class ShortensWhatItLent(Voter):
    """Lends for the lease of now, though the vote is lent to the same one for longer already."""

    def on_propose(self, asked: Propose, now_s: float) -> Accepted | Refused:
        answer = super().on_propose(asked, now_s)
        if isinstance(answer, Accepted) and self._given is not None:
            until_s = min(self._given.until_s, now_s + self.lease_s)
            self._given = Given(self._given.ballot, until_s)
        return answer


def shortens_what_it_lent(
    settings: Settings, incarnation: int, now_s: float, luck: NodeLuck
) -> Node:
    """Return a node with a voter that shortens what it lent."""
    node = Node(settings, incarnation, now_s, luck)
    node.voter = ShortensWhatItLent(node.voter.lease_s, node.voter.silent_until_s)
    return node


def settled_hears_old(old: Electorate, new: Electorate) -> tuple[Configuration, ...]:
    """Return stages in whose second one the old electorate's candidates are answered still."""
    joint, _, after = stages(old, new)
    return (joint, joint, after)


def in_one_step(old: Electorate, new: Electorate) -> tuple[Configuration, ...]:
    """Return the stages without the joint ones, each side hearing the other."""
    return (Configuration(new, old.fingerprint()),)


def _always(_old: Electorate, _confirmed: set[str]) -> bool:
    return True


# -- a witness ---------------------------------------------------------------------------------


class BeginsAtOnce(Witness):
    """Takes the witness's answer for enough though the other server was just heard."""

    def may_begin(self, now_s: float) -> bool:
        return True


class BreaksNoContact(Witness):
    """Takes the contact for unbroken through any silence of the witness."""

    @property
    def gap_s(self) -> float:
        return float("inf")


def with_witness(kind: type[Witness]) -> Build:
    """Return what makes nodes whose witnesses are of another kind."""

    def build(settings: Settings, incarnation: int, now_s: float, luck: NodeLuck) -> Node:
        node = Node(settings, incarnation, now_s, luck)
        known = node.witnesses.known
        for vote, right in known.items():
            known[vote] = kind(right.address, right.timing, right.quiet_since_s)
        return node

    return build


# -- the declared dead -------------------------------------------------------------------------


class BuriesForGood(Declared):
    """Goes on counting without a server that is heard again."""

    def on_alive(self, candidate: Candidate, server: str, now_s: float) -> None:
        """Do nothing."""


class BuriesTheDying(Declared):
    """Lets a server be declared dead that may hold the address yet."""

    def refusal(self, servers: Iterable[str], now_s: float) -> str | None:
        return None


def with_declared(kind: type[Declared]) -> Build:
    """Return what makes nodes that treat the dead in another way."""

    def build(settings: Settings, incarnation: int, now_s: float, luck: NodeLuck) -> Node:
        node = Node(settings, incarnation, now_s, luck)
        node.declared = kind(node.name, node.electorate, node.timing, now_s)
        return node

    return build


def _changing(build: Build, how: How) -> Trial:
    return lambda luck: change_trial.run(luck, build, how)


def _witnessed(kind: type[Witness]) -> Trial:
    return lambda luck: witness_trial.run(luck, with_witness(kind))


def _forced(kind: type[Declared]) -> Trial:
    return lambda luck: force_trial.run(luck, with_declared(kind))


BALANCERS = (Kind.BALANCER_ADDED, Kind.BALANCER_REMOVED, Kind.BALANCER_REPLACED)
LEASES = (Kind.LEASE_LONGER, Kind.LEASE_SHORTER)

VOTE_MUTANTS: dict[str, Trial] = {
    "counts the new side only": _changing(
        with_electorate(CountsTheNewSideOnly), How(kinds=BALANCERS)
    ),
    "counts the old side only": _changing(
        with_electorate(CountsTheOldSideOnly), How(kinds=BALANCERS)
    ),
    "holds by the longer lease": _changing(
        with_electorate(HoldsByTheLongerLease), How(kinds=LEASES)
    ),
    "lends for the shorter lease": _changing(
        with_electorate(LendsForTheShorterLease), How(kinds=LEASES)
    ),
    "shortens what it lent": _changing(
        shortens_what_it_lent, How(kinds=(Kind.LEASE_SHORTER,), stages=direct)
    ),
    "hears the old ones when settled": _changing(
        Node, How(kinds=BALANCERS, stages=settled_hears_old)
    ),
    "goes on whoever has not confirmed": _changing(Node, How(kinds=BALANCERS, allow=_always)),
    "does not wait before the last stage": _changing(Node, How(kinds=BALANCERS, waits=False)),
    "changes the balancers in one step": _changing(Node, How(kinds=BALANCERS, stages=direct)),
    "changes the balancers in one step, both sides heard": _changing(
        Node, How(kinds=BALANCERS, stages=in_one_step)
    ),
    "begins by the witness at once": _witnessed(BeginsAtOnce),
    "breaks no contact with the witness": _witnessed(BreaksNoContact),
    "buries for good": _forced(BuriesForGood),
    "buries the dying": _forced(BuriesTheDying),
}
