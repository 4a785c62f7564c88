"""What candidates and voters say to each other.

A candidate asks (``Prepare``, ``Propose``), a voter answers (``Promised``, ``Accepted``,
``Refused``), a holder lets go (``Release``), and candidates tell everybody whether they
are fit to hold (``Hello``). Every one of them may be lost, doubled, delayed or overtaken by
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
    """

    ballot: Ballot
    released: Ballot | None = None


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
    """

    ballot: Ballot
    attempt: int


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
    ballot of the same owner again.

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
    """

    fit: bool


Message: TypeAlias = Prepare | Promised | Propose | Accepted | Refused | Release | Hello
