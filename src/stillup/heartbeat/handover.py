"""Handing the address over without a gap: the giver's side and the taker's.

| step | giver (holds by votes of its own)             | taker (fit, and holds nothing)               |
|------|-----------------------------------------------|----------------------------------------------|
| 1    | ``Offer``                                     | notes the instant; ``Ready``                 |
| 2    | notes the instant; ``Offer``, with what is left | ``Arm``; ``Ready``, armed                  |
| 3    | ``Give``; ``Handed``, with what is left       | ``Hold``; ``Propose``, with ``taken_over``   |
| 4    | its own vote passes; says ``Handed`` no more  | has enough votes: holds by votes of its own  |

What is left of the giver's lease is told as of the giver's instant in step 2 and counted from
the taker's in step 1, which was earlier, and for 0.98 of it: so what the taker has, armed or
holding, ends before the giver's lease would have, however long a datagram takes. Each side may
be lost, restarted or frozen at any step: until ``Give`` the giver holds on, and afterwards
nobody but this life of the taker holds until the giver's lease would have ended.

The numbers and lives in the messages keep late and doubled ones apart: an answer counts for the
newest offer only, and a lease is taken once, by the life that answered.
"""

from dataclasses import dataclass

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.candidate import Candidate
from stillup.heartbeat.events import Arm, NotGiven, Send
from stillup.heartbeat.messages import Handed, Offer, Ready
from stillup.heartbeat.standing import Wish
from stillup.heartbeat.voter import Voter


@dataclass(slots=True)
class Offered:
    """An offer that is not answered in full yet.

    Args:
        wish: To whom, and why.
        ballot: Under which ballot the address is held.
        number: The offer's number.
        until_s: When to give up.
        again_s: When to say it again.
        life: The incarnation that answered; 0 while none has.
        heard_s: When its first answer was heard.
    """

    wish: Wish
    ballot: Ballot
    number: int
    until_s: float
    again_s: float
    life: int = 0
    heard_s: float = 0.0

    @property
    def to(self) -> str:
        """To whom."""
        return self.wish.to


class Giving:
    """The giver's side.

    Args:
        candidate: The holder; effects go into its ``out``.
        voter: Its own voter, whose vote passes to the taker first or last.
    """

    def __init__(self, candidate: Candidate, voter: Voter) -> None:
        self._candidate = candidate
        self._voter = voter
        self.offered: Offered | None = None
        self.handed: tuple[str, Handed] | None = None
        self.number = 0
        self._again_s = 0.0

    def begin(self, wish: Wish, now_s: float) -> None:
        """Offer the address to a candidate. The caller holds it by votes of its own."""
        until_s = now_s + self._candidate.timing.offer_s
        self._begin(wish, until_s, now_s)

    def begin_anew(self, now_s: float) -> None:
        """Offer the same under the ballot it is held under by now."""
        if self.offered is not None:
            self._begin(self.offered.wish, self.offered.until_s, now_s)

    def withdraw(self, reason: str) -> None:
        """Offer it no longer. Whatever is answered to the offer from now on is too late."""
        if self.offered is not None:
            self._candidate.out.append(NotGiven(self.offered.to, reason))
            self.offered = None

    def on_ready(self, sender: str, ready: Ready, now_s: float) -> bool:
        """Go on with the offer that is answered; return whether the address was given.

        A ``Ready`` that is armed answers the second offer, so it is of the life that was heard.
        """
        offered = self.offered
        if offered is None or sender != offered.to:
            return False
        if (ready.ballot, ready.number) != (offered.ballot, offered.number):
            return False
        if not ready.armed:
            if ready.life != offered.life:
                offered.life, offered.heard_s = ready.life, now_s
                self._say_offer(offered, now_s)
            return False
        if ready.life != offered.life or not self._may_give(offered, now_s):
            return False
        self._give(offered, now_s)
        return True

    def on_timer(self, now_s: float) -> None:
        """Say again what was not answered."""
        if self.offered is not None and self.offered.again_s <= now_s:
            self._say_offer(self.offered, now_s)
        if self.handed is not None and self._again_s <= now_s:
            self._say_handed(now_s)

    def next_timer_s(self) -> float | None:
        """Return when ``on_timer`` is due; None for never."""
        if self.offered is not None:
            return min(self.offered.again_s, self.offered.until_s)
        return self._again_s if self.handed is not None else None

    def is_stale(self, offered: Offered) -> bool:
        """Return whether the address is not held any more as it was offered."""
        tally = self._candidate.tally
        return tally is None or tally.ballot != offered.ballot

    def _begin(self, wish: Wish, until_s: float, now_s: float) -> None:
        assert self._candidate.tally is not None
        self.number += 1
        ballot = self._candidate.tally.ballot
        self.offered = Offered(wish, ballot, self.number, until_s, now_s)
        self._say_offer(self.offered, now_s)

    def _give(self, offered: Offered, now_s: float) -> None:
        """Let go first, then say so. The own vote is nobody's until the taker asks for it."""
        until_s = self._candidate.give(offered.to, offered.wish.reason, now_s)
        self._voter.give_away()
        left_s, stay = until_s - offered.heard_s, offered.wish.stay
        handed = Handed(offered.ballot, offered.number, offered.life, left_s, stay)
        self.offered, self.handed = None, (offered.to, handed)
        self._say_handed(now_s)

    def _may_give(self, offered: Offered, now_s: float) -> bool:
        given = self._voter.given(now_s)
        own = given is not None and given.ballot.owner == self._candidate.owner
        return own and self._candidate.holds_by_votes and not self.is_stale(offered)

    def _say_offer(self, offered: Offered, now_s: float) -> None:
        offered.again_s = now_s + self._candidate.timing.retry_s
        until_s = self._candidate.held_until_s
        life, left_s = 0, 0.0
        # A lease that is nearly over is given only once it is renewed: the taker needs time.
        if (
            offered.life
            and until_s is not None
            and until_s - now_s >= self._candidate.timing.lease_s / 2
        ):
            life, left_s = offered.life, until_s - offered.heard_s
        message = Offer(offered.ballot, offered.number, life, left_s)
        self._candidate.out.append(Send(offered.to, message))

    def _say_handed(self, now_s: float) -> None:
        assert self.handed is not None
        given = self._voter.given(now_s)
        if given is None or not given.away:
            self.handed = None
            return
        self._again_s = now_s + self._candidate.timing.retry_s
        self._candidate.out.append(Send(*self.handed))


@dataclass(slots=True)
class Readiness:
    """What was answered to an offer.

    Args:
        ballot: The offer's.
        number: The offer's.
        since_s: When it was answered first: what is handed over counts from here.
        taken: Whether it has come to its end; nothing is taken by it again.
    """

    ballot: Ballot
    number: int
    since_s: float
    taken: bool = False


class Taking:
    """The taker's side.

    Args:
        candidate: The one that would hold; effects go into its ``out``.
    """

    def __init__(self, candidate: Candidate) -> None:
        self._candidate = candidate
        self.ready: Readiness | None = None

    def on_offer(self, offer: Offer, now_s: float, *, able: bool) -> None:
        """Answer an offer, if this candidate could take the address now."""
        ready = self._to_this(offer)
        if ready is None and not offer.life and able and self._is_news(offer):
            ready = self.ready = Readiness(offer.ballot, offer.number, now_s)
        if ready is None or not able:
            return
        if offer.life:
            until_s = self.until_s(ready, offer.left_s)
            if offer.life != self._life or until_s <= now_s:
                return
            self._candidate.out.append(Arm(offer.ballot.name, until_s))
        answer = Ready(offer.ballot, offer.number, self._life, armed=offer.life != 0)
        self._candidate.out.append(Send(offer.ballot.name, answer))

    def on_handed(self, handed: Handed, now_s: float, *, able: bool) -> float | None:
        """Return until when what is handed over is this candidate's; None if it is not taken.

        What cannot be taken any more is let go of, for everybody to have.
        """
        ready = self._to_this(handed)
        if ready is None or handed.life != self._life:
            return None
        ready.taken = True
        until_s = self.until_s(ready, handed.left_s)
        if able and until_s > now_s:
            return until_s
        self._candidate.decline(handed.ballot, now_s)
        return None

    def until_s(self, ready: Readiness, left_s: float) -> float:
        """Return until when what is left of the giver's lease may be trusted."""
        return ready.since_s + self._candidate.timing.trusted_s(left_s)

    @property
    def _life(self) -> int:
        return self._candidate.owner.incarnation

    def _to_this(self, message: Offer | Handed) -> Readiness | None:
        """Return what was answered to this very offer, if that has not come to its end."""
        ready = self.ready
        if ready is None or ready.taken:
            return None
        same = (ready.ballot, ready.number) == (message.ballot, message.number)
        return ready if same else None

    def _is_news(self, offer: Offer) -> bool:
        """Return whether this is no straggler of an offer that came before the latest."""
        ready = self.ready
        if ready is None or ready.ballot.owner != offer.ballot.owner:
            return True
        return offer.number > ready.number
