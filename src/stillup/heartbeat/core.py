"""One server's part in deciding who holds the virtual IP: a pure function of events and time.

TYPES ARE FINAL, the theory and the code follow in the next commits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.events import Effect, Event
from stillup.heartbeat.quorum import Electorate


@dataclass(frozen=True)
class Settings:
    """What a node is told at its start and never after.

    Args:
        name: This server.
        electorate: Voters, candidates, lease.
        preferred: The candidate that wins the first election if it is there; None for none.
        silence_s: How long this server's voter stays silent after its start: the longest
            lease that it may have promised in an earlier life. None means the lease itself,
            which is right unless the lease was longer before.
    """

    name: str
    electorate: Electorate
    preferred: str | None = None
    silence_s: float | None = None


@dataclass(frozen=True)
class Status:
    """What a node knows, for people; all durations are in seconds as of the asking.

    Args:
        holder: Who holds the address as far as this server knows; None if nobody.
        holding: Whether that is this server.
        ballot: The ballot it is held under.
        left_s: How long that lasts without a renewal.
        phase: What the candidate is doing: ``voter``, ``resting``, ``preparing``,
            ``proposing`` or ``stopped``.
        healthy: What the last ``HealthChanged`` said.
        reason: Its words.
        yielding_s: How long this server will not stand for election; 0 if it does.
        silent_s: How long its voter is still silent after the start; 0 if it votes.
        heard_s: Seconds since each other server was last heard; missing if never.
        votes: Whose votes the last confirmed lease of this server rests on.
    """

    holder: str | None
    holding: bool
    ballot: Ballot | None
    left_s: float
    phase: str
    healthy: bool
    reason: str
    yielding_s: float
    silent_s: float
    heard_s: Mapping[str, float] = field(default_factory=dict)
    votes: tuple[str, ...] = ()


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
        raise NotImplementedError

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Take an event in and return what is to be done, to be carried out in this order.

        Args:
            event: What happened.
            now_s: The clock, read right before this call.
        """
        raise NotImplementedError

    def next_timer_s(self) -> float | None:
        """Return when to send ``TimerFired``, on the caller's clock; None for never."""
        raise NotImplementedError

    def status(self, now_s: float) -> Status:
        """Return what this node knows."""
        raise NotImplementedError
