"""The voter: one vote, given to one candidate at a time, for one lease at a time.

The acceptor of PaxosLease (Trencséni, Gazsó, Reinhardt 2012, arXiv:1209.4187), with one rule
made stricter: while its vote belongs to somebody it refuses everybody else, whatever their
ballot. That makes the safety argument (``core.py``) a matter of votes alone; ballots then
only decide who of several candidates goes first.

| state  | ``Prepare``                        | ``Propose``                            | time            |
|--------|------------------------------------|----------------------------------------|-----------------|
| silent | refused: silent                    | refused: silent                        | -> free         |
| free   | promised, unless outbid            | accepted -> given, unless outbid       |                 |
| given  | owner: promised; others: held      | owner: accepted anew; others: held     | lease -> free   |
| given away | taker: promised; all others: held | taker: accepted; all others: held     | lease -> free   |

``Release`` of the owner's ballot frees the vote at once. ``taken_over`` names an owner that
handed what was left of its lease to the one that asks, and up to which ballot: a vote that
was lent to that owner passes to the asker as if it were its own, and is never free in between. *Given
away* is what the giver's own voter is from then on: it refuses the giver too. Nothing is written to disk: instead
the voter is silent after its start for as long as anything it may have forgotten lasts.
"""

from dataclasses import dataclass, replace

from stillup.heartbeat.ballot import Ballot, Owner
from stillup.heartbeat.messages import (
    Accepted,
    Prepare,
    Promised,
    Propose,
    Refusal,
    Refused,
)

CLOSED = 1 << 62
"""Stands above every attempt: the ballot was let go and nothing more is accepted under it."""


@dataclass(frozen=True, slots=True)
class Given:
    """To whom the vote belongs, and until when on this voter's clock.

    Args:
        ballot: Under which ballot it was asked for.
        until_s: Until when.
        away: Whether that owner has handed over what it held: the vote is not its own any more.
    """

    ballot: Ballot
    until_s: float
    away: bool = False


class Voter:
    """One server's vote.

    Args:
        lease_s: How long the vote is given for, from when it is asked for.
        silent_until_s: The instant before which nothing is granted.
    """

    def __init__(self, lease_s: float, silent_until_s: float) -> None:
        self.lease_s = lease_s
        self.silent_until_s = silent_until_s
        self.newest: Ballot | None = None
        self._attempt = 0
        self._given: Given | None = None

    def given(self, now_s: float) -> Given | None:
        """Return to whom the vote belongs now; None if it is free."""
        if self._given is not None and self._given.until_s <= now_s:
            self._given = None
        return self._given

    def on_prepare(self, asked: Prepare, now_s: float) -> Promised | Refused:
        """Answer whether the vote could be had, and hold older ballots off if it could."""
        if asked.released is not None:
            self.on_release(asked.released)
        refused = self._refusal(asked, 0, now_s)
        if refused is not None:
            return refused
        if asked.ballot != self.newest:
            self.newest, self._attempt = asked.ballot, 0
        return Promised(asked.ballot)

    def on_propose(self, asked: Propose, now_s: float) -> Accepted | Refused:
        """Give the vote for one lease from now, or say why not.

        An attempt heard again (the answer was lost) is answered again without lengthening
        the lease. One that was overtaken by a later attempt is answered too while the vote is
        still given, since it then lasts longer than the asker believes; after that it is
        refused, so that a straggler of a dead holder does not take the vote along.
        """
        refused = self._refusal(asked, asked.attempt, now_s)
        if refused is not None:
            return refused
        if asked.ballot == self.newest and asked.attempt <= self._attempt:
            given = self.given(now_s)
            if given is None or given.ballot != asked.ballot:
                return Refused(asked.ballot, asked.attempt, Refusal.OUTBID, self.newest)
            return Accepted(asked.ballot, asked.attempt)
        self.newest, self._attempt = asked.ballot, asked.attempt
        # Where the lease was made shorter meanwhile, what was lent for longer stays lent.
        lent = self.given(now_s)
        until_s = max(now_s + self.lease_s, lent.until_s if lent else 0.0)
        self._given = Given(asked.ballot, until_s)
        return Accepted(asked.ballot, asked.attempt)

    def on_release(self, released: Ballot) -> None:
        """Take the vote back from the owner of ``released``, up to that ballot.

        Whoever relays it and however late it comes, it is true: its owner holds nothing
        under this ballot or an older one of its own, and never will.
        """
        if self._given is not None and _covers(released, self._given.ballot):
            self._given = None
        if self.newest is None or self.newest <= released:
            self.newest, self._attempt = released, CLOSED

    def give_away(self) -> None:
        """Note that the own candidate, whose vote this is, has handed over what it held."""
        if self._given is not None:
            self._given = replace(self._given, away=True)

    def _refusal(self, asked: Prepare | Propose, attempt: int, now_s: float) -> Refused | None:
        """Return why this ballot gets nothing now; None if it may."""
        ballot = asked.ballot
        if now_s < self.silent_until_s:
            left_s = self.silent_until_s - now_s
            return Refused(ballot, attempt, Refusal.SILENT, self.newest, left_s)
        given = self.given(now_s)
        if given is not None and not _may_have(asked, given):
            left_s, holder = given.until_s - now_s, given.ballot.name
            return Refused(ballot, attempt, Refusal.HELD, self.newest, left_s, holder)
        if self._is_outbid(ballot):
            return Refused(ballot, attempt, Refusal.OUTBID, self.newest)
        return None

    def _is_outbid(self, ballot: Ballot) -> bool:
        """Return whether something newer was promised, or this very ballot was let go."""
        if self.newest is None or ballot > self.newest:
            return False
        return ballot < self.newest or self._attempt == CLOSED


def _may_have(asked: Prepare | Propose, given: Given) -> bool:
    """Return whether a vote that is lent may go to the one that asks."""
    if asked.taken_over is not None and _covers(asked.taken_over, given.ballot):
        return True
    return asked.ballot.owner == given.ballot.owner and not given.away


def _covers(released: Ballot, given: Ballot) -> bool:
    """Return whether letting go of ``released`` lets go of ``given`` too."""
    owner: Owner = released.owner
    return given.owner == owner and given <= released
