"""When a candidate stands for election, and to whom it lets go.

Only a matter of liveness and manners: whatever is decided here, two never hold, because
the votes forbid it.

* A candidate is *fit* if it is healthy and not yielding.
* A fit one stands when nobody holds, in order of rank, a moment apart so that they rarely
  collide; the one that the last holder named goes first.
* One that is not fit waits two leases and stands then: a sick holder is better than none.
* A holder that is not healthy lets go as soon as it knows of a fit one. One that yields hands
  over to it. If that one does not take the lease, it is doubted for a while and not handed it
  again.
* A holder hands over to the preferred candidate when that one has been fit for long, unless
  a person moved the address here for good.
"""

import math
from dataclasses import dataclass

from stillup.heartbeat.messages import Hello
from stillup.heartbeat.timing import Timing


@dataclass(slots=True)
class Peer:
    """What is known of another candidate.

    Args:
        fit: What its last ``Hello`` said.
        heard_s: When anything was last heard of it.
        doubted_until_s: Until when it is not handed the lease.
        deaf_until_s: Until when it is not offered the lease, as it did not answer.
        fit_since_s: Since when it has been fit, and heard, without a break.
        draining: Whether connections live on there, by its last ``Hello``.
        drains_until_s: Until when they do whatever it says: a late ``Hello`` may be older.
    """

    fit: bool
    heard_s: float
    doubted_until_s: float = 0.0
    deaf_until_s: float = 0.0
    fit_since_s: float = math.inf
    draining: bool = False
    drains_until_s: float = 0.0


@dataclass(slots=True)
class Vacancy:
    """Since when nobody holds, as far as the own voter knows, and who was named to take over.

    Args:
        since_s: The instant the vote became, or will become, free.
        last: Who had it before; None if nobody did since the start.
        heir: Whom the last holder named; None if it named nobody.
    """

    since_s: float
    last: str | None = None
    heir: str | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """A move that somebody or something wants.

    Args:
        to: Where to.
        reason: Why, for the log.
        stay: Whether it shall stay there even if another candidate is preferred.
        asked: Whether a person asked for just this move, once.
    """

    to: str
    reason: str
    stay: bool = False
    asked: bool = False


class Standing:
    """One candidate's fitness and what it knows of the others'.

    Args:
        name: This candidate.
        candidates: All candidates in order of rank.
        preferred: Who shall win the first election; None for nobody in particular.
        timing: The protocol's durations.
        failback: Whether a holder hands over to ``preferred`` once that one is well again.
    """

    def __init__(
        self,
        name: str,
        candidates: tuple[str, ...],
        preferred: str | None,
        timing: Timing,
        *,
        failback: bool = True,
    ) -> None:
        self.name = name
        self.candidates = candidates
        self.preferred = preferred
        self.timing = timing
        self.failback = failback
        self.stays = False
        self.healthy = False
        self.reason = "not checked yet"
        self.yield_until_s = 0.0
        self.yield_to: str | None = None
        self.peers: dict[str, Peer] = {}
        self._handed_to: str | None = None

    def begin_under(
        self, candidates: tuple[str, ...], preferred: str | None, timing: Timing
    ) -> None:
        """Go on with other candidates, keeping what is known of those that stay."""
        self.candidates, self.preferred, self.timing = candidates, preferred, timing
        self.peers = {name: peer for name, peer in self.peers.items() if name in candidates}

    def is_fit(self, now_s: float) -> bool:
        """Return whether this candidate is healthy and not yielding."""
        return self.healthy and self.yield_until_s <= now_s

    def on_heard(self, peer: str, now_s: float) -> None:
        """Note that a candidate is there."""
        if peer in self.peers:
            if not self._is_there(peer, now_s):
                self.peers[peer].fit_since_s = now_s if self.peers[peer].fit else math.inf
            self.peers[peer].heard_s = now_s
        elif peer in self.candidates:
            self.peers[peer] = Peer(fit=False, heard_s=now_s)

    def on_hello(self, name: str, hello: Hello, now_s: float) -> None:
        """Note a candidate's fitness; doubt ends when it says something new."""
        self.on_heard(name, now_s)
        peer = self.peers.get(name)
        if peer is None:
            return
        peer.draining = hello.draining
        if peer.fit != hello.fit:
            peer.fit = hello.fit
            peer.fit_since_s = now_s if hello.fit else math.inf
            peer.doubted_until_s = peer.deaf_until_s = 0.0

    def on_unanswered(self, name: str, now_s: float) -> None:
        """Note that a candidate did not answer an offer; it is not offered anything for a while."""
        if name in self.peers:
            self.peers[name].deaf_until_s = now_s + self.timing.patience_s
            self.peers[name].fit_since_s = now_s

    def on_taken_from(self, giver: str, *, stay: bool, now_s: float) -> None:
        """Note that this candidate took over: connections live on at the giver."""
        self.on_heard(giver, now_s)
        if giver in self.peers:
            self.peers[giver].drains_until_s = now_s + self.timing.fresh_s
        self.stays = stay

    def givers(self, now_s: float) -> tuple[str, ...]:
        """Return where connections to the address live on, as far as is known."""
        return tuple(
            name
            for name, peer in sorted(self.peers.items())
            if peer.drains_until_s > now_s or (peer.draining and self._is_there(name, now_s))
        )

    def on_handed(self, heir: str) -> None:
        """Note that the lease was let go for ``heir`` to take."""
        self._handed_to = heir

    def on_held_by(self, holder: str | None, now_s: float) -> None:
        """Note who holds; if it is this candidate again, the one it handed to is doubted."""
        self.stays = self.stays and holder == self.name
        if self._handed_to is None or holder is None:
            return
        if holder == self.name:
            peer = self.peers.get(self._handed_to)
            if peer is not None:
                peer.doubted_until_s = now_s + self.timing.doubt_s
        self._handed_to = None

    def wish(self, now_s: float) -> Wish | None:
        """Return where the address, held here by a healthy candidate, had better be; None if here.

        Only who is fit and answers offers is named.
        """
        if not self.is_fit(now_s):
            to = self.heir(now_s, answering=True)
            return Wish(to, "asked to yield") if to is not None else None
        to = self.preferred
        if to is None or not self.failback or self.stays or not self.may_offer(to, now_s):
            return None
        if now_s - self.peers[to].fit_since_s < self.timing.settled_s:
            return None
        return Wish(to, f"back to {to}, which is preferred and well again")

    def may_offer(self, name: str, now_s: float) -> bool:
        """Return whether the address may be offered to a candidate that nobody named."""
        return self._is_fit_peer(name, now_s) and self.peers[name].deaf_until_s <= now_s

    def says_fit(self, name: str, now_s: float) -> bool:
        """Return whether a candidate is there and says it is fit, doubted or not."""
        peer = self.peers.get(name)
        return peer is not None and peer.fit and self._is_there(name, now_s)

    def heir(self, now_s: float, *, answering: bool = False) -> str | None:
        """Return who should take over from this candidate; None if nobody is fit.

        Args:
            now_s: The clock.
            answering: Leave out who did not answer an offer a short while ago.
        """
        suits = self.may_offer if answering else self._is_fit_peer
        fit = [peer for peer in self.candidates if suits(peer, now_s)]
        if self.yield_to in fit:
            return self.yield_to
        return fit[0] if fit else None

    def stand_s(self, vacancy: Vacancy, now_s: float) -> float:
        """Return when to stand if the vacancy lasts."""
        if not self.is_fit(now_s):
            # The yielding may end before the patience does.
            patience_s = vacancy.since_s + self.timing.patience_s
            if self.healthy:
                return min(patience_s, max(self.yield_until_s, vacancy.since_s))
            return patience_s
        if vacancy.heir == self.name:
            return vacancy.since_s
        return vacancy.since_s + self._courtesy_s(vacancy, now_s)

    def _courtesy_s(self, vacancy: Vacancy, now_s: float) -> float:
        """Return how long to let the others go first."""
        # The last holder goes last: it is dead, or let go for a reason.
        ranked = sorted(self.candidates, key=lambda name: name == vacancy.last)
        courtesy_s = self.timing.settle_s + ranked.index(self.name) * self.timing.retry_s
        if vacancy.heir is not None:
            courtesy_s += self.timing.longest_wait_s / 2
        if vacancy.last is None and self.preferred not in {None, self.name}:
            # It may still be starting or checking its health; a lease is soon over.
            courtesy_s += self.timing.lease_s if self._is_there(self.preferred, now_s) else 0.0
        return courtesy_s

    def _is_fit_peer(self, name: str, now_s: float) -> bool:
        return self.says_fit(name, now_s) and self.peers[name].doubted_until_s <= now_s

    def _is_there(self, name: str | None, now_s: float) -> bool:
        peer = self.peers.get(name) if name else None
        return peer is not None and now_s - peer.heard_s <= self.timing.fresh_s
