"""When a holder lets go, hands over, or stays: a matter of manners, like ``standing.py``.

Not healthy: it lets go at once to a fit candidate, as every connection here is lost anyway. Asked
to yield or to stop, asked for a move, or with the preferred candidate well again: it hands over
(``handover.py``), which takes two round trips, and stays the holder while it is not answered.
Only a daemon that stops lets go all the same.
"""

import math
from dataclasses import replace

from stillup.heartbeat.candidate import Candidate
from stillup.heartbeat.events import (
    Forward,
    MoveAsked,
    NotGiven,
    Resumed,
    Stopped,
    Stopping,
    YieldAsked,
)
from stillup.heartbeat.handover import Giving, Offered, Taking
from stillup.heartbeat.known import MoveKnown
from stillup.heartbeat.messages import Handed, Offer, Ready
from stillup.heartbeat.standing import Standing, Wish
from stillup.heartbeat.voter import Voter


class Moving:
    """What a candidate does about the address it holds.

    Args:
        candidate: The candidate; effects go into its ``out``.
        voter: Its own voter.
        standing: What is known of the others, and what is wished.

    Attributes:
        giving: The giver's side of a hand-over.
        taking: The taker's.
        draining: Whether connections live on here since the address was given away.
        givers: Where they live on while the address is held here.
    """

    def __init__(self, candidate: Candidate, voter: Voter, standing: Standing) -> None:
        self._candidate = candidate
        self._standing = standing
        self.giving = Giving(candidate, voter)
        self.taking = Taking(candidate)
        self.asked: MoveAsked | None = None
        self.stopping = False
        self.stopped = False
        self.draining = False
        self.givers: tuple[str, ...] = ()

    def on_asked(self, event: YieldAsked | MoveAsked | Resumed | Stopping, now_s: float) -> None:
        """Note what a person or a program asks for."""
        standing = self._standing
        match event:
            case YieldAsked(seconds, to):
                standing.yield_until_s, standing.yield_to = now_s + seconds, to
            case MoveAsked():
                self.asked = event
            case Resumed():
                standing.yield_until_s, standing.stays = 0.0, False
            case Stopping(at_once):
                self.stopping, standing.yield_until_s = True, math.inf
                if at_once:
                    self._stop(now_s)

    def hear(
        self, sender: str, message: Offer | Ready | Handed, now_s: float, *, able: bool
    ) -> None:
        """Take a candidate's message about a hand-over.

        Args:
            sender: The candidate.
            message: What it says.
            now_s: The clock.
            able: Whether this candidate could hold if it were handed the address now.
        """
        able = able and self._candidate.held_until_s is None
        match message:
            case Offer():
                if message.ballot.name == sender:
                    self.taking.on_offer(message, now_s, able=able)
            case Ready():
                if self.giving.on_ready(sender, message, now_s):
                    self._standing.on_handed(sender)
                    self.draining = True
            case Handed():
                until_s = self.taking.on_handed(message, now_s, able=able)
                if until_s is not None:
                    self._standing.on_taken_from(sender, stay=message.stay, now_s=now_s)
                    self._follow_givers(now_s)
                    self._candidate.take(message.ballot, until_s, now_s)

    def known(self) -> MoveKnown:
        """Return what there is of moves, for people."""
        offered = self.giving.offered
        to = offered.to if offered else None
        return MoveKnown(to, self.draining, self.givers, self._standing.stays)

    def next_timer_s(self) -> float | None:
        """Return when ``on_timer`` is due; None for never."""
        return self.giving.next_timer_s()

    def on_timer(self, now_s: float) -> None:
        """Say again what was not answered."""
        self.giving.on_timer(now_s)

    def decide(self, now_s: float) -> None:
        """Bring the address where it had better be; the candidate has been told everything."""
        self._decide(now_s)
        if self._candidate.held_until_s is not None:
            self.draining = False
            self._follow_givers(now_s)
        else:
            self.givers = ()

    def _follow_givers(self, now_s: float) -> None:
        """Have packets of connections that live on elsewhere passed on."""
        givers = self._standing.givers(now_s)
        if givers != self.givers:
            self.givers = givers
            self._candidate.out.append(Forward(givers))

    def _decide(self, now_s: float) -> None:
        candidate = self._candidate
        if candidate.held_until_s is None:
            self._refuse("it is not held here")
            if self.stopping:
                self._stop(now_s)
        elif not self._standing.healthy:
            self._flee(now_s)
        elif candidate.holds_by_votes:
            self._go_on(now_s)
        elif self.stopping:
            self._stop(now_s)

    def _flee(self, now_s: float) -> None:
        """Let go of what cannot be served, if another candidate can serve it."""
        self._refuse("this server is not healthy")
        heir = self._standing.heir(now_s)
        if heir is not None:
            self._candidate.let_go(now_s, self._standing.reason, heir)
            self._standing.on_handed(heir)

    def _go_on(self, now_s: float) -> None:
        """Go on with the offer there is, or make one if it is wished for."""
        offered = self.giving.offered
        if offered is not None and self.asked is None:
            why = self._why_not(offered, now_s)
            if why is None:
                return
            self.giving.withdraw(why)
        wish = self._wish(now_s)
        if wish is not None:
            self.giving.begin(wish, now_s)
        elif self.stopping:
            self._stop(now_s)

    def _why_not(self, offered: Offered, now_s: float) -> str | None:
        """Return why an offer leads nowhere; None if it still may."""
        standing = self._standing
        if offered.until_s <= now_s:
            standing.on_unanswered(offered.to, now_s)
            return f"{offered.to} did not answer"
        if not standing.says_fit(offered.to, now_s):
            return f"{offered.to} is not fit any more"
        if self.giving.is_stale(offered):
            # Under another ballot; the time it may take goes on.
            self.giving.begin_anew(now_s)
            return None
        if not offered.wish.asked and standing.wish(now_s) is None:
            return "it is not wished any more"
        return None

    def _wish(self, now_s: float) -> Wish | None:
        asked, self.asked = self.asked, None
        if asked is not None:
            self.giving.withdraw("another move was asked for")
            # Whom a person names is asked even if it is doubted.
            to = asked.to or self._standing.heir(now_s, answering=True)
            if to is not None and self._standing.says_fit(to, now_s):
                return Wish(to, "asked to move", stay=True, asked=True)
            why = f"{to} is not fit" if to is not None else "no other candidate is fit"
            self._candidate.out.append(NotGiven(asked.to, why))
        wish = self._standing.wish(now_s)
        if wish is not None and self.stopping:
            return replace(wish, reason="the daemon stops")
        return wish

    def _refuse(self, why: str) -> None:
        """Give up what was offered, and refuse what was asked."""
        self.giving.withdraw(why)
        if self.asked is not None:
            self._candidate.out.append(NotGiven(self.asked.to, why))
            self.asked = None

    def _stop(self, now_s: float) -> None:
        if self.stopped:
            return
        self.stopped = True
        self._refuse("the daemon stops")
        self._candidate.let_go(now_s, "the daemon stops", self._standing.heir(now_s))
        self._candidate.stop()
        self._candidate.out.append(Stopped())
