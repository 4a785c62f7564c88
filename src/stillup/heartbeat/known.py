"""What a node knows of its virtual IP, for people: a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stillup.heartbeat.ballot import Ballot


@dataclass(frozen=True, slots=True)
class MoveKnown:
    """What a node knows of planned moves.

    Args:
        offered_to: To whom this server offers the address now; None if to nobody.
        draining: Whether connections to the address live on here although it was given away.
        givers: Where connections to the address live on while this server holds it.
        stays: Whether a person moved the address here for good.
    """

    offered_to: str | None = None
    draining: bool = False
    givers: tuple[str, ...] = ()
    stays: bool = False


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
        dead: Which servers a person has declared dead, here.
        move: What there is of moves.
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
    dead: tuple[str, ...] = ()
    move: MoveKnown = field(default_factory=MoveKnown)
