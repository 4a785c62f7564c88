"""One server's part in deciding who holds the virtual IP: a pure function of events and time.

The protocol is PaxosLease (Trencséni, Gazsó, Reinhardt 2012, arXiv:1209.4187). Every server
is a voter, every balancer a candidate too. A candidate asks each voter whether it would vote
(prepare), then for its vote (propose); a vote lasts one lease. Whoever has enough votes
(``quorum.py``) holds the address, until 0.98 leases after it *began to ask*, and asks again
four times a lease. Nothing is written to disk.

Why two never hold (the whole argument; each step names the code it rests on):

1. To hold at an instant t, candidate p needs an attempt that began at s <= t, with
   t < s + 0.98 leases on p's clock (``Candidate.lease_end_s``; ``Timing.hold_s``), and
   answers *to that very attempt* from a set of voters that is enough (``Tally.vote``).
2. Each such voter heard the attempt at or after s, and gave its vote for one full lease on
   its own clock from then (``Voter.on_propose``). As clocks run within 1 % of true time, that
   is longer than 0.98 leases on p's clock from s on (``timing.py``): at t the vote is still
   p's, or p took it back itself by letting go, after which p did not hold (``let_go`` puts
   ``LetGo`` before ``Release``, and nothing is ever held under a released ballot again).
3. A voter's vote belongs to one life of one candidate at a time: while it is given, everybody
   else is refused (``Voter._refusal``).
4. A voter that restarted may have forgotten whose its vote is. It grants nothing for the
   longest lease it may have given (``Settings.silence_s``), so what it forgot is over.
5. Two sets that are enough share a voter (``quorum.py``). Had p and q both held at t, that
   voter's vote would have been given to both at t, against 3.

A planned move hands what is left of a lease to another candidate (``handover.py``), so that p may
hold at t by what was granted to g:

6. g holds by votes of its own, until u by step 1. It lets go before it says so (``Give`` before
   ``Handed``), under a ballot b. It never holds under b or an older one again, whatever is under
   way, and its own voter refuses it until that vote has passed to p, was released or has run
   out (``Voter.give_away``): until then nothing is enough for g, and it releases nothing.
7. p holds for 0.98 of what was left, from an instant of its own that came before the one g measured
   at (``Taking.until_s``), so on any two clocks not past u; once, and only the life that answered.
8. Until u a vote that g counted is g's, as in 2, or passed to p, who says that it took over b
   (``taken_over``), and is then p's for a lease from there. p releases it only after it let go. So
   at t the votes of a set that is enough are lent to g and p, of whom p alone holds: 5
   holds for the pair. As p gives on only what it has by its own votes, it stays a pair.

Messages may be lost, doubled, late and out of order: 1 to 8 use no order. A message of
another electorate is not let in (``seal.py``), as step 5 needs one and the same electorate;
while that changes, what step 5 says holds from each stage to the next (``membership.py``).
Prepare and ballots are not part of the argument. They let a candidate ask without taking votes,
so that two who stand at once do not split them.

Enforcement is the kernel's (``Hold.until_s``), so the argument holds for a hung, killed or
stopped daemon: p's "hold" above is the instant the kernel was told, not the daemon's opinion.
"""

from collections.abc import Callable, Iterable

from stillup.heartbeat.ballot import Ballot, Owner
from stillup.heartbeat.candidate import Candidate, Phase
from stillup.heartbeat.events import (
    Changed,
    DatagramReceived,
    DeclaredDead,
    DrainEnded,
    Effect,
    Event,
    HealthChanged,
    MoveAsked,
    Resumed,
    Send,
    Stopping,
    TimerFired,
    Told,
    WitnessAnswered,
    YieldAsked,
)
from stillup.heartbeat.force import Declared
from stillup.heartbeat.greeting import Greeting
from stillup.heartbeat.known import Status
from stillup.heartbeat.messages import (
    Accepted,
    Handed,
    Hello,
    Message,
    Offer,
    Prepare,
    Promised,
    Propose,
    Ready,
    Refused,
    Release,
)
from stillup.heartbeat.moving import Moving
from stillup.heartbeat.node_settings import Settings
from stillup.heartbeat.standing import Standing, Vacancy
from stillup.heartbeat.timing import Timing
from stillup.heartbeat.voter import Given, Voter
from stillup.heartbeat.witness import Witnesses

__all__ = ["Node", "Settings"]


class Node:
    """A voter and, on a balancer, a candidate.

    Args:
        settings: Who takes part.
        incarnation: 64 random bits, another number at every start of the daemon.
        now_s: The clock at the start, in seconds.
        luck: Returns another number in [0, 1) at each call; spreads the tries of candidates
            that would otherwise collide again and again.

    Raises:
        ValueError: If ``settings.name`` is no voter.
    """

    def __init__(
        self, settings: Settings, incarnation: int, now_s: float, luck: Callable[[], float]
    ) -> None:
        electorate = settings.electorate
        if settings.name not in electorate.servers:
            raise ValueError(f"{settings.name} is not among the voters")
        self.name = settings.name
        self.electorate = electorate
        self.timing = Timing(electorate.shortest_s, electorate.longest_s)
        silence_s = max(settings.silence_s or 0.0, electorate.longest_s)
        self.voter = Voter(electorate.longest_s, now_s + silence_s)
        self.candidate = Candidate(Owner(self.name, incarnation), electorate, self.timing, luck)
        self.standing = Standing(
            self.name,
            electorate.eligible,
            settings.preferred,
            self.timing,
            failback=settings.failback,
        )
        self.join()
        self.witnesses = Witnesses(electorate, self.name, self.timing, now_s)
        self._vacancy = Vacancy(self.voter.silent_until_s)
        self.greeting = Greeting(now_s)
        self._known: Ballot | None = None
        self.declared = Declared(self.name, electorate, self.timing, now_s)
        if self.name not in electorate.eligible:
            self.candidate.stop()
            self.greeting.due_s = None

    def join(self) -> None:
        """Make the parts know each other; to be called by whoever puts another in place of one."""
        self.moving = Moving(self.candidate, self.voter, self.standing)

    # -- the three calls of the shell ------------------------------------------------------

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Take an event in and return what is to be done, to be carried out in this order.

        Args:
            event: What happened.
            now_s: The clock, read right before this call.
        """
        effects: list[Effect] = []
        # Whatever happened, a lease that has run out since is over first.
        self.candidate.expire(now_s)
        match event:
            case DatagramReceived(sender, message):
                if sender in self.electorate.servers and sender != self.name:
                    self.declared.on_heard(self.candidate, sender, now_s)
                    self.witnesses.on_heard(sender, now_s)
                    self.standing.on_heard(sender, now_s)
                    answer = self._hear(sender, message, now_s)
                    if answer is not None:
                        effects.append(Send(sender, answer))
            case TimerFired():
                self._on_timer(now_s)
            case WitnessAnswered():
                self.witnesses.on_answer(event, self.candidate, now_s)
            case _:
                self._on_told(event, now_s)
        self._settle(effects, now_s)
        return effects

    def next_timer_s(self) -> float | None:
        """Return when to send ``TimerFired``, on the caller's clock; None for never."""
        parts = (self.candidate, self.moving, self.witnesses)
        times = [self.greeting.due_s, *(part.next_timer_s() for part in parts)]
        if self._known is not None and self.candidate.held_until_s is None:
            # To notice, and tell, that the lease of another has run out.
            times.append(self._vacancy.since_s)
        return min((time_s for time_s in times if time_s is not None), default=None)

    def status(self, now_s: float) -> Status:
        """Return what this node knows."""
        candidate, given = self.candidate, self.voter.given(now_s)
        until_s = candidate.held_until_s or (given.until_s if given else now_s)
        known = self._known
        is_candidate = self.name in self.electorate.eligible
        return Status(
            holder=known.name if known else None,
            holding=candidate.held_until_s is not None and candidate.held_until_s > now_s,
            ballot=known,
            left_s=max(0.0, until_s - now_s) if known else 0.0,
            phase=candidate.phase.value if is_candidate else "voter",
            healthy=self.standing.healthy,
            reason=self.standing.reason,
            yielding_s=max(0.0, self.standing.yield_until_s - now_s),
            silent_s=max(0.0, self.voter.silent_until_s - now_s),
            heard_s=self.declared.heard_ago_s(now_s),
            votes=tuple(sorted(candidate.confirmed.votes)) if candidate.confirmed else (),
            dead=tuple(sorted(candidate.electorate.dead)),
            move=self.moving.known(),
        )

    # -- what people do --------------------------------------------------------------------

    def _on_told(self, event: Told, now_s: float) -> None:
        """Take in what people, systemd or the watch over the service say."""
        match event:
            case HealthChanged(healthy, reason):
                self.standing.healthy, self.standing.reason = healthy, reason
            case YieldAsked() | MoveAsked() | Resumed() | Stopping():
                self.moving.on_asked(event, now_s)
            case DrainEnded():
                self.moving.draining = False
            case DeclaredDead(servers):
                self.declared.declare(self.candidate, servers, now_s)

    def reconfigure(self, settings: Settings, now_s: float) -> list[Effect]:
        """Go on under the electorate that follows this one, and return what is to be done.

        The votes that were lent stay lent, what is held stays held until it runs out, and what
        is asked from now on counts by the new one. Safe only in the order of ``membership.py``.
        """
        effects: list[Effect] = []
        # Whom a person has declared dead is dead under the same electorate still.
        dead = self.candidate.electorate.dead if settings.electorate == self.electorate else ()
        electorate = self.electorate = settings.electorate
        self.timing = Timing(electorate.shortest_s, electorate.longest_s)
        self.voter.lease_s = electorate.longest_s
        self.witnesses = Witnesses(electorate, self.name, self.timing, now_s)
        self.standing.begin_under(electorate.eligible, settings.preferred, self.timing)
        self.standing.failback = settings.failback
        self.declared.begin_under(electorate, self.timing)
        self.candidate.expire(now_s)
        self.candidate.begin_under(electorate.without(dead), self.timing, now_s)
        if self.name not in electorate.eligible:
            self._deliver(effects, now_s)
            self._leave(now_s)
        elif self.greeting.due_s is None:
            self.greeting.due_s = now_s
            self.candidate.rest(now_s)
        self._settle(effects, now_s)
        return effects

    def why_not_dead(self, servers: Iterable[str], now_s: float) -> str | None:
        """Return why these servers cannot be declared dead here; None if they can."""
        return self.declared.refusal(servers, now_s)

    def _leave(self, now_s: float) -> None:
        """Be a candidate no more."""
        self.candidate.let_go(now_s, "no balancer any more", self.standing.heir(now_s))
        self.candidate.stop()
        self.greeting.due_s = None

    # -- what comes in ---------------------------------------------------------------------

    def _hear(self, sender: str, message: Message, now_s: float) -> Message | None:
        """Take a message of ``sender`` (maybe this server itself); return the voter's answer."""
        match message:
            case Prepare() | Propose() | Release():
                return self._hear_asker(sender, message, now_s)
            case Promised(ballot):
                self.candidate.on_promised(sender, ballot, now_s)
            case Accepted(ballot, attempt):
                self.candidate.on_accepted(sender, ballot, attempt, now_s)
            case Refused():
                if message.holder is not None:
                    self.declared.on_alive(self.candidate, message.holder, now_s)
                self.candidate.on_refused(sender, message, now_s)
            case Offer() | Ready() | Handed():
                if {sender, self.name}.issubset(self.electorate.eligible):
                    able = self._is_able(now_s) and self.declared.hears_enough(now_s)
                    self.moving.hear(sender, message, now_s, able=able)
            case Hello():
                self.standing.on_hello(sender, message, now_s)
                if self.name not in self.electorate.eligible:
                    return Hello(fit=False)
        return None

    def _hear_asker(
        self, sender: str, message: Prepare | Propose | Release, now_s: float
    ) -> Message | None:
        # A release may be of another's ballot: of one who handed over to the sender.
        own = message.ballot.name == sender or isinstance(message, Release)
        if not own or sender not in self.electorate.askers:
            return None
        # Known ballots need not be learnt by being outbid when every millisecond counts.
        self.candidate.note_newest(message.ballot)
        match message:
            case Prepare():
                return self.voter.on_prepare(message, now_s)
            case Propose():
                return self.voter.on_propose(message, now_s)
            case Release(ballot, to):
                released = self.candidate.released
                is_news = released is None or ballot > released
                self.voter.on_release(ballot)
                self.candidate.on_release(ballot)
                if is_news and self.voter.given(now_s) is None:
                    since_s = max(now_s, self.voter.silent_until_s)
                    self._vacancy = Vacancy(since_s, last=ballot.name, heir=to)
                return None

    def _on_timer(self, now_s: float) -> None:
        self.candidate.on_timer(now_s)
        self.moving.on_timer(now_s)
        self.candidate.out += self.witnesses.on_timer(now_s)
        if self.greeting.is_due(now_s):
            self._greet(Hello(self._is_able(now_s), self.moving.draining), now_s)

    # -- what follows from it --------------------------------------------------------------

    def _settle(self, effects: list[Effect], now_s: float) -> None:
        """Bring everything into line after an event; the order matters."""
        self._deliver(effects, now_s)
        self.declared.settle(self.candidate, now_s)
        self.moving.decide(now_s)
        self._deliver(effects, now_s)  # the own voter must know before the vacancy is judged
        self._watch_vacancy(now_s)
        hello = Hello(self._is_able(now_s), self.moving.draining)
        if self.greeting.is_news(hello):
            self._greet(hello, now_s)
        self._deliver(effects, now_s)
        self._tell_holder(effects, now_s)

    def _deliver(self, effects: list[Effect], now_s: float) -> None:
        """Pass on what the candidate wants; what it says to its own voter is heard at once."""
        out = self.candidate.out
        for effect in out:  # grows while it is walked: answers lead to more
            if isinstance(effect, Send) and effect.to == self.name:
                answer = self._hear(self.name, effect.message, now_s)
                if answer is not None:
                    self._hear(self.name, answer, now_s)
            elif isinstance(effect, Send) and effect.to in self.electorate.witnesses:
                effects += self.witnesses.ask(effect.to, effect.message, now_s)
            else:
                effects.append(effect)
        out.clear()

    def _watch_vacancy(self, now_s: float) -> None:
        """Follow who has the own vote, and set when to stand."""
        candidate, given = self.candidate, self.voter.given(now_s)
        if given is not None and not self._is_own(given):
            self._vacancy = Vacancy(given.until_s, given.ballot.name)
            candidate.begin_anew()
            if candidate.phase is Phase.PREPARING and candidate.held_until_s is None:
                candidate.rest(now_s)
        elif given is None and self._vacancy.since_s > max(now_s, self.voter.silent_until_s):
            # Freed early, by a release that a candidate relayed.
            self._vacancy = Vacancy(now_s, self._vacancy.last)
        if candidate.phase is Phase.RESTING:
            stand_s = self.standing.stand_s(self._vacancy, now_s)
            candidate.wake_s = max(stand_s, candidate.not_before_s)

    def _is_own(self, given: Given) -> bool:
        """Return whether a vote is this candidate's, and was not given away with the lease."""
        return given.ballot.owner == self.candidate.owner and not given.away

    def _is_able(self, now_s: float) -> bool:
        """Return whether this server could hold at once: fit, not silent, not stopped."""
        return (
            self.standing.is_fit(now_s)
            and now_s >= self.voter.silent_until_s
            and self.candidate.phase is not Phase.STOPPED
        )

    def _greet(self, hello: Hello, now_s: float) -> None:
        asks = self.candidate.holds_by_votes
        self.greeting.say(hello, now_s, self.voter.silent_until_s, self.timing, asks=asks)
        self.candidate.out += [Send(to, hello) for to in self.electorate.servers if to != self.name]

    def _tell_holder(self, effects: list[Effect], now_s: float) -> None:
        """Report when the holder is another than the one last reported."""
        known, why = self._holder(now_s)
        if (known and known.owner) == (self._known and self._known.owner):
            self._known = known
            return
        self.standing.on_held_by(known.name if known else None, now_s)
        self.greeting.hasten(now_s + self.timing.hello_s)
        self._known = known
        effects.append(Changed(known.name if known else None, known, why))

    def _holder(self, now_s: float) -> tuple[Ballot | None, str]:
        """Return the ballot the address is held under, as far as this server knows."""
        candidate, given = self.candidate, self.voter.given(now_s)
        if candidate.held_until_s is not None and candidate.tally is not None:
            giver = None if candidate.holds_by_votes else candidate.taken_over
            why = f"handed over by {giver.name}" if giver else "it has enough votes"
            return candidate.tally.ballot, why
        if given is not None and not self._is_own(given):
            # Given away it stays the giver's for everybody until the taker asks for it.
            return given.ballot, "it has this server's vote"
        return None, "let go" if self._vacancy.heir else "its lease ran out"
