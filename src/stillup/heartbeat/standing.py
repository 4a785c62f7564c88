"""When a candidate stands for election, and to whom it lets go.

Only a matter of liveness and manners: whatever is decided here, two never hold, because
the votes forbid it.

* A candidate is *fit* if it is healthy and not yielding.
* A fit one stands when nobody holds, in order of rank, a moment apart so that they rarely
  collide; the one that the last holder named goes first.
* One that is not fit waits two leases and stands then: a sick holder is better than none.
* A holder that is not fit lets go as soon as it knows of a fit one. If that one does not
  take the lease, it is doubted for a while and not handed it again.
"""

from dataclasses import dataclass

from stillup.heartbeat.timing import Timing


@dataclass(slots=True)
class Peer:
    """What is known of another candidate.

    Args:
        fit: What its last ``Hello`` said.
        heard_s: When anything was last heard of it.
        doubted_until_s: Until when it is not handed the lease.
    """

    fit: bool
    heard_s: float
    doubted_until_s: float = 0.0


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


class Standing:
    """One candidate's fitness and what it knows of the others'.

    Args:
        name: This candidate.
        candidates: All candidates in order of rank.
        preferred: Who shall win the first election; None for nobody in particular.
        timing: The protocol's durations.
    """

    def __init__(
        self, name: str, candidates: tuple[str, ...], preferred: str | None, timing: Timing
    ) -> None:
        self.name = name
        self.candidates = candidates
        self.preferred = preferred
        self.timing = timing
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
            self.peers[peer].heard_s = now_s
        elif peer in self.candidates:
            self.peers[peer] = Peer(fit=False, heard_s=now_s)

    def on_hello(self, peer: str, *, fit: bool, now_s: float) -> None:
        """Note a candidate's fitness; doubt ends when it says something new."""
        self.on_heard(peer, now_s)
        if peer in self.peers and self.peers[peer].fit != fit:
            self.peers[peer].fit = fit
            self.peers[peer].doubted_until_s = 0.0

    def on_handed(self, heir: str) -> None:
        """Note that the lease was let go for ``heir`` to take."""
        self._handed_to = heir

    def on_held_by(self, holder: str, now_s: float) -> None:
        """Note who holds; if it is this candidate again, the one it handed to is doubted."""
        if self._handed_to is None:
            return
        if holder == self.name:
            peer = self.peers.get(self._handed_to)
            if peer is not None:
                peer.doubted_until_s = now_s + self.timing.doubt_s
        self._handed_to = None

    def heir(self, now_s: float) -> str | None:
        """Return who should take over from this candidate; None if nobody is fit."""
        fit = [peer for peer in self.candidates if self._is_fit_peer(peer, now_s)]
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
            courtesy_s += self.timing.renew_s / 2
        if vacancy.last is None and self.preferred not in {None, self.name}:
            # It may still be starting or checking its health; a lease is soon over.
            courtesy_s += self.timing.lease_s if self._is_there(self.preferred, now_s) else 0.0
        return courtesy_s

    def _is_fit_peer(self, name: str, now_s: float) -> bool:
        peer = self.peers.get(name)
        return (
            peer is not None
            and peer.fit
            and self._is_there(name, now_s)
            and peer.doubted_until_s <= now_s
        )

    def _is_there(self, name: str | None, now_s: float) -> bool:
        peer = self.peers.get(name) if name else None
        return peer is not None and now_s - peer.heard_s <= self.timing.fresh_s
