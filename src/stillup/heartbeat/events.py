"""What happens to a node, and what it wants done about it.

The shell (``daemon.py``) turns the world into events, calls ``Node.handle(event, now_s)``
and carries the effects out **in the order given**. Four rules bind the shell; safety rests
on them:

1. ``now_s`` is read from a monotonic clock that also counts suspended time
   (``CLOCK_BOOTTIME``) right before ``handle``, never kept from earlier.
2. ``Hold.until_s`` is an instant on that clock. What is left of it is computed right before
   the kernel is told, rounded down; the kernel itself refuses it if the telling took longer
   than the enforcement margin (``kernel_lease.py``), and then it is told anew.
3. ``LetGo`` and ``Give`` are in force in the kernel before any later effect is carried out. If
   they cannot be put in force, the shell stops without sending the rest: the kernel ends the hold.
   ``Arm`` is in force before the ``Ready`` that follows it.
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
    """A person or ``apply`` asks this server to hand over and not to stand for a while.

    It hands over at once if another candidate is fit, else as soon as one becomes fit within
    ``seconds``. That takes two round trips before ``Give``; ``NotGiven`` tells that the one
    it was offered to did not answer, after which the next one is asked, or the same later.

    Args:
        seconds: For how long, from now.
        to: The candidate that shall take over; None for any that is fit.
    """

    seconds: float
    to: str | None = None


@dataclass(frozen=True, slots=True)
class MoveAsked:
    """A person asks this server, which holds the address, to hand it over now, and for good.

    Unlike ``YieldAsked`` it is tried once: what follows is ``Give`` or ``NotGiven``, at once or
    within ``Timing.offer_s``. This server may stand again; the address stays where it
    went although another candidate is preferred, until that holder gets ``Resumed`` or no
    longer holds it.

    Args:
        to: The candidate that shall take over; None for any that is fit.
    """

    to: str | None = None


@dataclass(frozen=True, slots=True)
class Resumed:
    """The yielding is over; this server stands for election again, and may fail back."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """The daemon is about to end: hand over, tell everybody, never stand again.

    ``Stopped`` follows when nothing is held any more, within ``Timing.offer_s``.

    Args:
        at_once: Do not hand over, release.
    """

    at_once: bool = False


@dataclass(frozen=True, slots=True)
class DrainEnded:
    """Nothing that was open here when the address was given is left, or its time is over.

    The shell says it once after each ``Give``, unless this server has gained the address
    again before. Until then this server's ``Hello`` says that it is draining.
    """


@dataclass(frozen=True, slots=True)
class WitnessAnswered:
    """The witness answered the ping of this number; whoever else answers is not heard."""

    address: str
    number: int


@dataclass(frozen=True, slots=True)
class DeclaredDead:
    """A person declares servers dead, so that this one may hold without them (``force.py``).

    ``Node.why_not_dead`` is asked first. Naming nobody takes an earlier declaration back.

    Args:
        servers: Exactly those that count as dead from now on.
    """

    servers: frozenset[str]


Told: TypeAlias = (
    HealthChanged | YieldAsked | MoveAsked | Resumed | Stopping | DrainEnded | DeclaredDead
)
"""What people, systemd and the watch over the service say."""

Event: TypeAlias = DatagramReceived | TimerFired | WitnessAnswered | Told


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
    """Stop answering for the address now, before any effect that follows.

    It ends all that this server does for the address: ``Arm`` and ``Forward`` too.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Arm:
    """Let the kernel take what ``giver`` passes on of the address's packets, until this instant.

    Nothing is announced, ARP is not answered, and packets from anybody else are dropped as
    before. ``Hold`` takes its place; ``LetGo`` and ``Give`` end it; a later one replaces it.

    Args:
        giver: The holder that will pass packets on once it has let go.
        until_s: On the caller's clock, to be treated like ``Hold.until_s``.
    """

    giver: str
    until_s: float


@dataclass(frozen=True, slots=True)
class Give:
    """Stop answering for the address now, as with ``LetGo``, but let open connections go on.

    The kernel's lease ends. What belongs to connections open here goes on; what
    opens something or belongs to nothing here is passed on to ``to`` until ``until_s``, and
    dropped afterwards. ``Handed`` follows in the same list.

    Args:
        to: Who has it from now on.
        until_s: On the caller's clock: nobody but ``to`` holds before.
        reason: In words, for the log.
    """

    to: str
    until_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class NotGiven:
    """What was offered or asked to be moved stays here.

    Args:
        to: To whom it was offered; None if there was nobody to offer it to.
        reason: In words.
    """

    to: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Forward:
    """Pass what belongs to no connection here and opens none on to each of these.

    It comes whenever the givers of a holder change, and before the ``Hold`` that gains the
    address if there are any; in force until the next one, ``LetGo`` or ``Give``.

    Args:
        givers: Servers where connections to the address live on; empty for none.
    """

    givers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stopped:
    """After ``Stopping``: nothing is held, and never will be; the goodbyes may be said again."""


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


@dataclass(frozen=True, slots=True)
class AskWitness:
    """Ping this address; the answer is ``WitnessAnswered`` with this number.

    Args:
        address: The witness.
        number: Tells this ping's answer from another's.
    """

    address: str
    number: int


Effect: TypeAlias = (
    Send | Hold | LetGo | Changed | Arm | Give | NotGiven | Forward | Stopped | AskWitness
)
