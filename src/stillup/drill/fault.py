"""A fault as a value (pure): what is done, to whom, for how long. ``stillup.drill.catalogue`` lists a farm's.

A fault's name is what a person types and a report shows, and is unique in its farm:
``power-off lb1``, ``kill mariadb at data1``, ``cut web1``, ``cut web1 one-way``,
``cut web1 from lb1``, ``power-off lb1 + data2``, ``planned failover``, ``planned bad-config php``.
"""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What is done."""

    NONE = "none"
    """Nothing: the control."""
    POWER_OFF = "power-off"
    """The plug is pulled; the power comes back after the fault's time. Where a server has no plug
    that the tool can pull it is rebooted without warning instead, which the report says."""
    REBOOT = "reboot"
    """In order, as ``systemctl reboot``."""
    KILL = "kill"
    """SIGKILL to every process of an engine's unit."""
    HANG = "hang"
    """SIGSTOP to every process of an engine's unit; without an engine to all of the server's engines."""
    CUT = "cut"
    """Frames are lost silently: all of them, one way only, or those from and to some servers."""
    LOSS = "loss"
    """A share of the frames is lost, both ways."""
    FULL_DISK = "full-disk"
    SLOW_DISK = "slow-disk"
    BUSY_CPU = "busy-cpu"
    BAD_CONFIG = "bad-config"
    """A configuration that the engine's own checker refuses is pushed by ``apply``; no servers."""
    FAILOVER = "failover"
    APPLY = "apply"
    """A rolling apply that touches every server."""
    REBOOTS = "reboots"
    """Each server in turn, drained first, as maintenance does."""
    DRAIN = "drain"
    RELEASE = "release"


PLANNED = frozenset(
    {Action.FAILOVER, Action.APPLY, Action.REBOOTS, Action.DRAIN, Action.RELEASE, Action.BAD_CONFIG}
)
"""What is done on purpose: no request may fail."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, at one or several servers at once."""

    action: Action
    servers: tuple[str, ...] = ()
    """In the farm file's order; empty for the control and for what concerns the whole farm."""
    engine: str = ""
    """``haproxy``, ``heartbeat``, ``nginx``, ``php``, ``mariadb``, ...; "" for the whole server."""
    one_way: bool = False
    """``CUT``: only what the server sends is lost."""
    others: tuple[str, ...] = ()
    """``CUT``: from these servers only; empty for from everybody."""
    percent: int = 0
    """``LOSS``: how many frames of a hundred."""
    lasts_s: float = 8.0
    """It undoes itself so long after it began, also when the tool is dead by then."""

    @property
    def planned(self) -> bool:
        """Whether it is done on purpose, as maintenance."""
        return self.action in PLANNED

    @property
    def name(self) -> str:
        """Return its name; see the module."""
        if self.action is Action.NONE:
            return "control"
        words = ["planned"] if self.planned else []
        words.append(self.action)
        if self.engine:
            words += [self.engine, "at"] if self.servers else [self.engine]
        if self.servers:
            words.append(" + ".join(self.servers))
        if self.others:
            words += ["from", " + ".join(self.others)]
        if self.one_way:
            words.append("one-way")
        if self.percent:
            words.append(f"{self.percent}%")
        return " ".join(words)
