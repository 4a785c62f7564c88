"""The candidate: asks for votes, holds while it has enough of them, lets go.

The proposer of PaxosLease (Trencséni, Gazsó, Reinhardt 2012, arXiv:1209.4187).

| phase     | asks             | enough answers     | refused beyond hope            | time                     |
|-----------|------------------|--------------------|--------------------------------|--------------------------|
| resting   | -                | -                  | -                              | vacancy -> preparing     |
| preparing | ``Prepare``      | -> proposing       | a newer ballot, after a wait   | asks the silent ones again |
| proposing | ``Propose``      | holds one lease    | holder: preparing; else resting| next attempt: the renewal |
| stopped   | -                | -                  | -                              | -                        |

Holding is not a phase: it is the instant ``held_until_s``, which a confirmed attempt moves
on to 0.98 leases after that attempt *began to be sent*, and which nothing else moves, but
for a lease that was handed over (``take``; ``handover.py``). It passes by itself; a candidate that
was frozen finds that it holds nothing.
"""

import enum
from collections.abc import Callable, Collection, Iterable

from stillup.heartbeat.ballot import Ballot, Owner, next_ballot
from stillup.heartbeat.events import Effect, Give, Hold, LetGo, Send
from stillup.heartbeat.messages import Message, Prepare, Propose, Refusal, Refused, Release
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.tally import Ask, Tally
from stillup.heartbeat.timing import Timing

GOODBYES = 3
"""How often a release is said again: a lost one costs the others a lease of waiting."""


class Phase(enum.Enum):
    """What a candidate is doing; see the table above."""

    RESTING = "resting"
    PREPARING = "preparing"
    PROPOSING = "proposing"
    STOPPED = "stopped"


class Candidate:
    """One balancer's part in the election.

    Effects are collected in ``out``; a ``Send`` to the candidate itself is for its own voter.

    Args:
        owner: This life of this candidate.
        electorate: Whose votes count.
        timing: The protocol's durations.
        luck: Returns another number in [0, 1) at each call.
    """

    def __init__(
        self, owner: Owner, electorate: Electorate, timing: Timing, luck: Callable[[], float]
    ) -> None:
        self.owner = owner
        self.electorate = electorate
        self.timing = timing
        self.luck = luck
        self.out: list[Effect] = []
        self.phase = Phase.RESTING
        self.held_until_s: float | None = None
        self.confirmed: Ask | None = None
        self.not_before_s = 0.0
        self.wake_s: float | None = None
        self.released: Ballot | None = None
        self.newest: Ballot | None = None
        self.tally: Tally | None = None
        self.taken_over: Ballot | None = None
        self._taken_s = 0.0
        self._tries = 0
        self._proposing_since_s = 0.0
        self._goodbyes: list[tuple[float, Release]] = []

    # -- what the node tells it ------------------------------------------------------------

    def stand(self, now_s: float) -> None:
        """Ask every voter, under a ballot newer than all that were seen, if it would vote."""
        self._begin_ballot()
        self.phase = Phase.PREPARING
        self._prepare(now_s)

    def rest(self, now_s: float, *, wait_s: float = 0.0) -> None:
        """Stop asking; stand again no sooner than ``wait_s`` from now."""
        self.phase = Phase.RESTING
        self.wake_s = None
        self.not_before_s = now_s + wait_s

    def begin_anew(self) -> None:
        """Forget how often was tried: somebody has won, and the next election is another."""
        self._tries = 0

    def let_go(self, now_s: float, reason: str, to: str | None = None) -> None:
        """Stop holding and asking, and free every vote that was given.

        ``LetGo`` comes before the first ``Release``: only what has ended is released.
        """
        if self.held_until_s is not None:
            self.held_until_s = None
            self.confirmed = None
            self.out.append(LetGo(reason))
        if self.tally is not None and self.phase is not Phase.RESTING:
            # What was taken over first: votes that have not passed are still lent to its giver.
            ballots = (self.taken_over, self.tally.ballot)
            self._release([ballot for ballot in ballots if ballot is not None], to, now_s)
        self.taken_over = None
        self.rest(now_s)

    @property
    def holds_by_votes(self) -> bool:
        """Whether it holds by votes of its own, not only by what was handed to it."""
        return self.held_until_s is not None and self.confirmed is not None

    def give(self, to: str, reason: str, now_s: float) -> float:
        """Stop holding and asking, and keep the votes for ``to``; return when they run out.

        Nothing is released: until the taker asks for them, or they run out, the votes are
        what keeps everybody else from holding.
        """
        assert self.held_until_s is not None
        until_s = self.held_until_s
        self.held_until_s = self.confirmed = None
        self.out.append(Give(to, until_s, reason))
        if self.taken_over is not None:
            # Votes that never passed from the giver before are of no use to anybody.
            self._release([self.taken_over], None, now_s)
            self.taken_over = None
        self.rest(now_s)
        return until_s

    def take(self, giver: Ballot, until_s: float, now_s: float) -> None:
        """Hold what ``giver`` handed over until ``until_s``, and ask for its votes at once."""
        self._begin_ballot(giver)
        assert self.tally is not None
        self.taken_over, self._taken_s = giver, now_s
        self.held_until_s, self.confirmed = until_s, None
        self.out.append(Hold(until_s, gained=True, ballot=self.tally.ballot))
        self._begin_proposing(now_s)

    def decline(self, giver: Ballot, now_s: float) -> None:
        """Let go of what was handed over and is not taken."""
        self.out.append(LetGo("it was handed over and could not be taken"))
        self._release([giver], None, now_s)

    def stop(self) -> None:
        """Never stand again."""
        self.phase = Phase.STOPPED
        self.wake_s = None

    def use(self, electorate: Electorate) -> None:
        """Count by another electorate from now on; what is held stays so until it runs out."""
        self.electorate = electorate
        if self.tally is not None:
            self.tally.electorate = electorate

    def begin_under(self, electorate: Electorate, timing: Timing, now_s: float) -> None:
        """Go on under the electorate that follows this one (``membership.py``).

        What was asked before counts no more: its votes were lent under another lease, maybe.
        """
        self.use(electorate)
        self.timing = timing
        if self.tally is not None:
            self.tally.asks.clear()
        if self.phase is Phase.PROPOSING:
            self._propose(now_s)
        elif self.phase is Phase.PREPARING:
            self.stand(now_s)

    def expire(self, now_s: float) -> None:
        """Find that the lease has run out, if it has."""
        if self.held_until_s is not None and self.held_until_s <= now_s:
            self.let_go(now_s, "the lease ran out before enough voters renewed it")
            self.rest(now_s, wait_s=self._backoff_s())

    def on_release(self, released: Ballot) -> None:
        """Remember that a holder let go, to tell voters who have not heard it."""
        self.released = max(released, self.released) if self.released else released
        self.note_newest(released)

    def note_newest(self, ballot: Ballot | None) -> None:
        """Remember the newest ballot heard of, to stand under a newer one."""
        if ballot is not None and (self.newest is None or ballot > self.newest):
            self.newest = ballot

    # -- time ------------------------------------------------------------------------------

    def next_timer_s(self) -> float | None:
        """Return when ``on_timer`` is due; None for never."""
        times = [at_s for at_s, _ in self._goodbyes[:1]]
        if self.wake_s is not None:
            times.append(self.wake_s)
        if self.held_until_s is not None:
            times.append(self.held_until_s)
        return min(times, default=None)

    def on_timer(self, now_s: float) -> None:
        """Do what is due: say goodbye again, stand, ask again, renew."""
        while self._goodbyes and self._goodbyes[0][0] <= now_s:
            message = self._goodbyes.pop(0)[1]
            self._send(self.electorate.servers, message, but=(self.owner.name,))
        if self.wake_s is None or self.wake_s > now_s:
            return
        match self.phase:
            case Phase.RESTING:
                self.stand(now_s)
            case Phase.PREPARING:
                self._prepare_again(now_s)
            case Phase.PROPOSING:
                self._propose_again(now_s)
            case Phase.STOPPED:
                pass

    # -- answers ---------------------------------------------------------------------------

    def on_promised(self, voter: str, ballot: Ballot, now_s: float) -> None:
        """Count a promise; with enough of them, ask for the votes."""
        if self.phase is not Phase.PREPARING or self.tally is None or self.tally.ballot != ballot:
            return
        self.tally.promised.add(voter)
        self.tally.free_at_s.pop(voter, None)
        if self.tally.is_promised():
            # What was refused then may be granted now.
            self.tally.free_at_s.clear()
            self._begin_proposing(now_s)

    def on_accepted(self, voter: str, ballot: Ballot, attempt: int, now_s: float) -> None:
        """Count a vote; with enough of them for one attempt, hold for what is left of it."""
        if self.phase is not Phase.PROPOSING or self.tally is None or self.tally.ballot != ballot:
            return
        ask = self.tally.vote(attempt, voter)
        if ask is None:
            return
        until_s = self.lease_end_s(ask)
        if until_s <= now_s or (self.held_until_s is not None and until_s <= self.held_until_s):
            return
        self.out.append(Hold(until_s, self.held_until_s is None, ballot))
        self.held_until_s = until_s
        self.confirmed = ask
        self._tries = 0
        self.tally.drop_before(attempt)
        if attempt == self.tally.attempt:
            self.wake_s = ask.start_s + self.timing.renew_s

    def on_refused(self, voter: str, refused: Refused, now_s: float) -> None:
        """Note why, and give up or wait if the others are not enough."""
        self.note_newest(refused.newest)
        tally = self.tally
        if tally is None or tally.ballot != refused.ballot:
            return
        if refused.reason is Refusal.OUTBID:
            tally.outbid.add(voter)
        else:
            tally.free_at_s[voter] = now_s + refused.left_s
        if self.phase is Phase.PREPARING:
            self._refused_preparing(tally, voter, now_s)
        elif self.phase is Phase.PROPOSING:
            self._refused_proposing(tally, now_s)

    def lease_end_s(self, ask: Ask) -> float:
        """Return until when an attempt with enough votes may be trusted.

        Counted from before it was asked, and shortened by what clocks may differ.
        """
        return ask.start_s + self.timing.hold_s

    # -- preparing -------------------------------------------------------------------------

    def _begin_ballot(self, *seen: Ballot) -> None:
        """Count anew, under a ballot newer than all that were seen."""
        tried = self.tally.ballot if self.tally else None
        self.newest = next_ballot(self.owner, self.newest, tried, *seen)
        self.tally = Tally(self.newest, self.electorate)

    def _prepare(self, now_s: float) -> None:
        assert self.tally is not None
        self.wake_s = now_s + self._backoff_s()
        self.tally.free_at_s.clear()
        message = Prepare(self.tally.ballot, self.released, self.taken_over)
        self._send(self.electorate.asked, message, but=self.tally.promised)

    def _prepare_again(self, now_s: float) -> None:
        assert self.tally is not None
        self._tries += 1
        # The others may be enough in theory and dead in fact: a newer ballot costs nothing.
        if self.tally.outbid:
            self.stand(now_s)
        else:
            self._prepare(now_s)

    def _refused_preparing(self, tally: Tally, voter: str, now_s: float) -> None:
        if voter == self.owner.name and voter in tally.free_at_s and self.held_until_s is None:
            # The own voter knows a holder, or is silent; the node wakes us when it is free.
            self.rest(now_s, wait_s=self.timing.retry_s)
            return
        free_s = tally.free_s() if voter in tally.free_at_s else None
        if free_s is not None:
            # Waiting for what is lent is no try that failed: the next is the first of another election.
            self._tries = 0
            self.wake_s = max(free_s, now_s) + self.timing.settle_s * (1 + self.luck())

    # -- proposing -------------------------------------------------------------------------

    def _begin_proposing(self, now_s: float) -> None:
        self.phase = Phase.PROPOSING
        self._proposing_since_s = now_s
        self._tries = 0
        self._propose(now_s)

    def _propose(self, now_s: float) -> None:
        """Begin an attempt: its lease counts from this instant, before anything is sent."""
        assert self.tally is not None
        attempt = self.tally.begin_attempt(now_s)
        self.wake_s = now_s + self.timing.retry_s
        if now_s - self._taken_s > self.timing.forgotten_s:
            self.taken_over = None
        self._send(self.electorate.asked, Propose(self.tally.ballot, attempt, self.taken_over))

    def _propose_again(self, now_s: float) -> None:
        """Renew, or repeat what was not answered, or give up."""
        tally = self.tally
        assert tally is not None
        ask = tally.asks[tally.attempt]
        holds = self.held_until_s is not None
        if holds and tally.outbid:
            # Some voters want a newer ballot; get them back before they are needed.
            self.stand(now_s)
            return
        if not holds and (tally.outbid or self._has_tried_enough(now_s)):
            self._give_up(now_s)
            return
        if now_s >= ask.start_s + self.timing.renew_s:
            self._propose(now_s)
            return
        self._tries += 1
        self.wake_s = min(now_s + self._backoff_s(), ask.start_s + self.timing.renew_s)
        message = Propose(tally.ballot, tally.attempt, self.taken_over)
        self._send(self.electorate.asked, message, but=ask.votes)

    def _has_tried_enough(self, now_s: float) -> bool:
        return now_s - self._proposing_since_s >= self.timing.lease_s / 2

    def _refused_proposing(self, tally: Tally, now_s: float) -> None:
        if not tally.hopeless_without(tally.outbid.union(tally.free_at_s)):
            return
        if self.held_until_s is None:
            self._give_up(now_s)
        elif tally.outbid:
            self.stand(now_s)

    def _give_up(self, now_s: float) -> None:
        """Free the votes that were given, so that another candidate may win, and wait."""
        self._tries += 1
        self.let_go(now_s, "not enough votes")
        self.rest(now_s, wait_s=self._backoff_s())

    # -- sending ---------------------------------------------------------------------------

    def _backoff_s(self) -> float:
        """Return the next wait: longer with each try, never the same for two candidates."""
        longest_s = self.timing.longest_wait_s
        wait_s = min(self.timing.retry_s * 2.0 ** min(self._tries, 10), longest_s)
        return wait_s * (0.75 + self.luck() / 2)

    def _release(self, ballots: Collection[Ballot], to: str | None, now_s: float) -> None:
        messages = [Release(ballot, to) for ballot in ballots]
        for message in messages:
            self._send(self.electorate.servers, message)
        self._goodbyes = [
            (now_s + self.timing.retry_s * 2**number, message)
            for number in range(GOODBYES)
            for message in messages
        ]

    def _send(self, to: Iterable[str], message: Message, but: Collection[str] = ()) -> None:
        self.out.extend(Send(voter, message) for voter in to if voter not in but)
