"""What was written down while a drill ran (pure). The checker knows nothing else.

All times are seconds since the workload began, on the clock of the machine that asked, except
where a field says otherwise. Nothing here has an opinion: what is good and what is not is said in
``stillup.drill.checker``.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a user did."""

    NEW = "new"
    """A page, on a connection of its own."""
    KEPT = "kept"
    """A page, on a connection that stays open."""
    SESSION = "session"
    """One more page of a session; ``Deed.number`` is the count that the page told, 0 for none."""
    ROW = "row"
    """A numbered row for the database."""
    FILE = "file"
    """A numbered file for the shared storage."""
    DOWNLOAD = "download"
    """A long download; due when it was begun, ended when it broke or was whole."""


class Outcome(StrEnum):
    """How it ended."""

    DONE = "done"
    """Answered as it should be."""
    REFUSED = "refused"
    """No connection: nothing was sent."""
    NO_ROUTE = "no route"
    """No connection, as no network leads there: nothing was sent."""
    RESET = "reset"
    """The connection broke after something was sent."""
    TIMED_OUT = "timed out"
    CUT_SHORT = "cut short"
    """The answer began and did not end."""
    SERVER_ERROR = "server error"
    """A status of 500 or more; ``Deed.status`` has it."""
    NOT_DONE = "not done"
    """The page says itself that it wrote nothing (status 409)."""
    WRONG = "wrong content"
    """An answer, and not the one that was asked for; also a status under 500 that is not 200."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One request: when it was due, was sent and was over, and how it ended.

    The workload is an open loop: ``due_s`` does not depend on what became of the requests before,
    so that a farm that stalls is charged for all it should have answered. ``sent_s`` is when the
    workload came to it, so that ``sent_s - due_s`` is how late the workload itself was: one that
    has to wait, as no more of its kind may be under way, has been come to all the same.
    """

    kind: Kind
    number: int
    due_s: float
    sent_s: float
    ended_s: float
    outcome: Outcome
    status: int = 0
    """The HTTP status; 0 for no answer."""
    balancer: str = ""
    web: str = ""
    told: str = ""
    """What a page said that did not do as asked, shortened, or how the connection failed; "" for
    what was done."""
    visitor: int = 0
    """Whose session it is, for ``SESSION``: each visitor's pages follow one another."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Somebody answered for a virtual IP on the wire."""

    at_s: float
    address: str
    hardware: str
    """The Ethernet address it answered from."""


class Mark(StrEnum):
    """The moments of a drill."""

    FAULT = "fault begins"
    FAULT_BEGUN = "fault has begun"
    """The server said so, or its plug is pulled: from ``FAULT`` until here it came about."""
    FAILED = "change failed"
    """A change on purpose could not be made, or not be taken back; the text says why."""
    UNDONE = "fault is undone"
    WHOLE = "redundancy is whole"


@dataclass(frozen=True, slots=True)
class Moment:
    """When something of the drill happened."""

    at_s: float
    mark: Mark
    text: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the farm, as ``stillup status`` judges it."""

    at_s: float
    level: str
    """``serving``, ``at risk`` or ``down``."""
    whole: bool
    """Nothing is missing: every kind of server as redundant as its design, every copy whole."""
    why: str
    holders: tuple[tuple[str, str], ...] = ()
    """Each virtual IP with the balancer that says it holds it; "" for none."""


@dataclass(frozen=True, slots=True)
class Copies:
    """The numbers that one keeper of data has afterwards."""

    server: str
    kind: Kind
    """``ROW`` or ``FILE``."""
    numbers: frozenset[int]
    """Those whose content is right."""


@dataclass(frozen=True)
class History:
    """All of one drill. ``deeds`` and ``heard`` in order of ``due_s`` and ``at_s``."""

    began: str
    """When the workload began: wall time, ISO 8601 with seconds, UTC."""
    lasted_s: float
    deeds: tuple[Deed, ...]
    moments: tuple[Moment, ...]
    looks: tuple[Look, ...] = ()
    heard: tuple[Heard, ...] | None = None
    """None where nobody could listen: then nothing is known of two holders."""
    deaf_s: tuple[tuple[float, float], ...] = ()
    """From when to when the listener was late, so that it may have missed something."""
    copies: tuple[Copies, ...] = ()
    """Empty where nothing was written."""
    names: tuple[tuple[str, str], ...] = ()
    """Whose an Ethernet address is: address, server."""
    notes: tuple[str, ...] = ()
    """What the player noticed: a fault that the server refused, a machine that did not come back."""

    def at(self, mark: Mark) -> float | None:
        """Return when a moment first was, or None."""
        return next((moment.at_s for moment in self.moments if moment.mark == mark), None)
