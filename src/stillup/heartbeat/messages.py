"""What candidates and voters say to each other.

A candidate asks (``Prepare``, ``Propose``), a voter answers (``Promised``, ``Accepted``,
``Refused``), a holder lets go (``Release``), and candidates tell everybody whether they
are fit to hold (``Hello``). A holder hands over without a gap by ``Offer``, ``Ready`` and
``Handed`` (``handover.py``). Every one of them may be lost, doubled, delayed or overtaken by
another; nothing may depend on an order. How they look as bytes: ``wire.py``.
"""

import enum
from dataclasses import dataclass
from typing import TypeAlias

from stillup.heartbeat.ballot import Ballot


@dataclass(frozen=True, slots=True)
class Prepare:
    """A candidate asks: would you vote for me? It takes nobody's vote yet.

    Args:
        ballot: The candidate's ballot.
        released: The newest ballot whose holder is known to have let go, relayed so that a
            voter whom the holder's own ``Release`` has not reached need not be waited for.
        taken_over: As in ``Propose``.
    """

    ballot: Ballot
    released: Ballot | None = None
    taken_over: Ballot | None = None


@dataclass(frozen=True, slots=True)
class Promised:
    """A voter answers ``Prepare``: I am free, and will refuse ballots older than yours."""

    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Propose:
    """A candidate asks for the vote itself, for one lease from now; also each renewal.

    Args:
        ballot: The candidate's ballot.
        attempt: Counts the asks under this ballot, from 1. An answer counts only for the
            ask it answers, because the holder's lease begins when that ask was sent.
        taken_over: The ballot whose owner handed what was left of its lease to this
            candidate: a vote lent to that owner, up to that ballot, passes to this one.
    """

    ballot: Ballot
    attempt: int
    taken_over: Ballot | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A voter answers ``Propose``: my vote is yours for one lease from when I heard it."""

    ballot: Ballot
    attempt: int


class Refusal(enum.Enum):
    """Why a voter refuses."""

    SILENT = 1
    """It started less than a lease ago and may have forgotten what it accepted before."""

    HELD = 2
    """Its vote belongs to another candidate for some time yet."""

    OUTBID = 3
    """It has promised a newer ballot, or the ballot asked for is already let go."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A voter answers ``Prepare`` (attempt 0) or ``Propose``: no, and why.

    Args:
        ballot: The ballot that is refused.
        attempt: The attempt that is refused; 0 for a ``Prepare``.
        reason: Why.
        newest: The newest ballot this voter knows of, for the next one to be greater.
        left_s: How long the reason will last if nothing is renewed; 0 if outbid.
        holder: Who has the vote, if it is held.
    """

    ballot: Ballot
    attempt: int
    reason: Refusal
    newest: Ballot | None
    left_s: float = 0.0
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """A holder (or a candidate that gives up) has let go: forget my votes up to here.

    True for ever once it was said: nobody holds anything under ``ballot`` or an older
    ballot of the same owner again. Who took a lease over and lets go says it of the giver's
    ballot too.

    Args:
        ballot: The newest ballot let go.
        to: The candidate who shall take over; the others let it go first.
    """

    ballot: Ballot
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Hello:
    """A candidate tells everybody whether it is fit to hold the address.

    A server that is no candidate answers with one of its own, which says no: so a candidate
    that does not hold knows who is there, and has the way to them warm (words, ARP) for the
    moment when it must be quick.

    Args:
        fit: Whether it could take the address at once.
        draining: Whether connections to the address still live on there: the holder passes
            on to it what belongs to them.
    """

    fit: bool
    draining: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """The holder asks a candidate to make itself ready to take the address over.

    It comes twice: first to learn whether the candidate would (``life`` and ``left_s`` are
    0), and then, in answer to its ``Ready``, to tell how long it may be armed for.

    Args:
        ballot: The holder's ballot.
        number: Counts the holder's offers; a repeated offer has the same number.
        life: The incarnation of the candidate that answered; 0 the first time.
        left_s: What was left of the holder's lease when it heard the first ``Ready`` to
            this number, rounded down; 0 the first time.
    """

    ballot: Ballot
    number: int
    life: int = 0
    left_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Ready:
    """A candidate answers ``Offer``: hand it over.

    Args:
        ballot: The offer's.
        number: The offer's.
        life: This life's incarnation.
        armed: Whether its kernel takes what the holder passes on already.
    """

    ballot: Ballot
    number: int
    life: int
    armed: bool = False


@dataclass(frozen=True, slots=True)
class Handed:
    """The holder has let go, and what was left of its lease is the candidate's alone.

    Args:
        ballot: The offer's: the giver holds nothing under it, and never will.
        number: The offer's.
        life: The incarnation of the candidate that is given it.
        left_s: What was left of the giver's lease when it heard the candidate's first
            ``Ready`` to this number, rounded down.
        stay: Whether the address shall stay there even if another candidate is preferred.
    """

    ballot: Ballot
    number: int
    life: int
    left_s: float
    stay: bool = False


Message: TypeAlias = (
    Prepare | Promised | Propose | Accepted | Refused | Release | Hello | Offer | Ready | Handed
)
