"""What happens to a node, and what it wants done about it.

The shell (``daemon.py``) turns the world into events, calls ``Node.handle(event, now_s)``
and carries the effects out **in the order given**. Four rules bind the shell; safety rests
on them:

1. ``now_s`` is read from a monotonic clock that also counts suspended time
   (``CLOCK_BOOTTIME``) right before ``handle``, never kept from earlier.
2. ``Hold.until_s`` is an instant on that clock. What is left of it is computed right before
   the kernel is told, rounded down; the kernel itself refuses it if the telling took longer
   than the enforcement margin (``kernel_lease.py``), and then it is told anew.
3. ``LetGo`` is in force in the kernel before any later effect is carried out. If it cannot
   be put in force, the shell stops without sending the rest: the kernel ends the hold.
4. When a timer fired late, waiting datagrams are handled before ``TimerFired``.
"""

from dataclasses import dataclass
from typing import TypeAlias

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.messages import Message


@dataclass(frozen=True, slots=True)
class DatagramReceived:
    """A datagram came in and was proven to be from ``sender``, fresh and for this farm."""

    sender: str
    message: Message


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The instant of ``Node.next_timer_s()`` has come, or went by."""


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """This server became able or unable to serve; the first one comes after the first check.

    Args:
        healthy: Whether HAProxy answers and the interface has its carrier.
        reason: In words, for the log and the status.
    """

    healthy: bool
    reason: str


@dataclass(frozen=True, slots=True)
class YieldAsked:
    """A person or ``apply`` asks this server to let go and not to stand for a while.

    It lets go at once if another candidate is fit, else as soon as one becomes fit within
    ``seconds``. Whether it did: ``LetGo`` is among the effects.

    Args:
        seconds: For how long, from now.
        to: The candidate that shall take over; None for any that is fit.
    """

    seconds: float
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Resumed:
    """The yielding is over; this server stands for election again."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """The daemon is about to end: let go at once, tell everybody, never stand again."""


Event: TypeAlias = DatagramReceived | TimerFired | HealthChanged | YieldAsked | Resumed | Stopping


@dataclass(frozen=True, slots=True)
class Send:
    """Send this to that server; never to oneself (the node's own voter is asked inside)."""

    to: str
    message: Message


@dataclass(frozen=True, slots=True)
class Hold:
    """Let the kernel answer for the address until this instant, and not a moment longer.

    Args:
        until_s: On the caller's clock; always later than the ``now_s`` given to ``handle``.
        gained: True if the address was not held just before: announce it.
        ballot: Under which ballot, for the log.
    """

    until_s: float
    gained: bool
    ballot: Ballot


@dataclass(frozen=True, slots=True)
class LetGo:
    """Stop answering for the address now, before any effect that follows."""

    reason: str


@dataclass(frozen=True, slots=True)
class Changed:
    """Who holds the address, as far as this server knows, is another than before.

    Args:
        holder: The holder's name; None if nobody is known to hold it.
        ballot: Under which ballot; None with no holder.
        reason: In words, for the log.
    """

    holder: str | None
    ballot: Ballot | None
    reason: str


Effect: TypeAlias = Send | Hold | LetGo | Changed
