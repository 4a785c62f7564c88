"""One simulated server: its clock, its daemon, and its kernel, which outlives the daemon."""

from dataclasses import dataclass, field
from typing import TypeAlias

from stillup.heartbeat.core import Node
from stillup.heartbeat.events import DatagramReceived, Effect, WitnessAnswered
from stillup.heartbeat.membership import Configuration
from stillup.heartbeat.seal import Seal


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that runs at its own rate: ``offset_s + rate * true time``."""

    rate: float
    offset_s: float

    def read(self, true_s: float) -> float:
        """Return what this clock shows at a true instant."""
        return self.offset_s + self.rate * true_s

    def true(self, read_s: float) -> float:
        """Return the true instant at which this clock shows ``read_s``."""
        return (read_s - self.offset_s) / self.rate


Parcel: TypeAlias = DatagramReceived | WitnessAnswered | bytes
"""What reaches a socket: a datagram, sealed or not, or the answer to a ping."""


@dataclass(slots=True)
class Machine:
    """A server of the simulated farm.

    Args:
        name: Its name.
        clock: Its clock.
        node: The daemon's state; None while the daemon is not running.
        powered: Whether the machine runs at all.
        frozen: Whether the daemon is stopped (SIGSTOP, starved); the kernel goes on.
        enforced_until_s: Until when, in true time, its kernel answers for the address.
        armed_by: Whose packets its kernel takes for the address, until ``armed_until_s``.
        armed_until_s: Until when, in true time.
        was_passed: Whether that giver has passed any on since.
        passing_to: To whom its kernel passes packets for the address on.
        passing_until_s: Until when, in true time.
        timer_s: The true instant its timer is set for; None for none.
        inbox: What arrived while the daemon was frozen.
        undone: Effects that the freeze came before.
        freeze_after: Freeze in the middle of the next effects, after so many; None for no.
        healthy: Whether its HAProxy is.
        seal: Signs and checks its datagrams; None in a trial that leaves that out.
        spins: How often its timer has fired in a row without time passing.
        life: Counts the daemon's starts; a timer of a former life is not delivered.
        told: The configuration on its disk.
        runs: The configuration that its daemon runs, or ran last.
        longest_s: The longest lease that it was ever told of (``memory.py``).
    """

    name: str
    clock: Clock
    node: Node | None = None
    powered: bool = True
    frozen: bool = False
    enforced_until_s: float = float("-inf")
    armed_by: str | None = None
    armed_until_s: float = float("-inf")
    was_passed: bool = False
    passing_to: str | None = None
    passing_until_s: float = float("-inf")
    timer_s: float | None = None
    inbox: list[Parcel] = field(default_factory=list)
    undone: list[Effect] = field(default_factory=list)
    freeze_after: int | None = None
    healthy: bool = True
    seal: Seal | None = None
    spins: int = 0
    life: int = 0
    told: Configuration | None = None
    runs: Configuration | None = None
    longest_s: float = 0.0
