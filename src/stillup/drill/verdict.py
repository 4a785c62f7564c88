"""What the checker says of one drill (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from stillup.drill.fault import Fault


class Word(StrEnum):
    """The verdict, and that of each promise."""

    KEPT = "kept"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    """The drill could not tell: it was late itself, could not listen, or the fault did not come about."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """One promise and what became of it."""

    promise: str
    """Stable, for programs: ``outage``, ``settled`` (the fault is over for all users while it lasts),
    ``retried`` (pages asked of a dead web server), ``planned-failures``, ``change``, ``lost-writes``,
    ``same-copies``, ``never-both``, ``sessions``, ``sticky``, ``wrong-content``, ``whole-again``,
    ``control`` (without a fault, and before it), ``fault`` (it did not come about)."""
    word: Word
    text: str
    """One sentence with the figures: what was promised and what was."""
    held: bool = True
    """Whether the farm is held to it. It is not where its file says that nobody could keep it,
    as when all of a role are lost; then the text says why, and the word is ``kept``."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, in seconds since the workload began."""

    from_s: float
    to_s: float

    @property
    def s(self) -> float:
        """How long it is."""
        return self.to_s - self.from_s


@dataclass(frozen=True, slots=True)
class KindFigures:
    """What one kind of request went through, from the fault's beginning on."""

    asked: int
    failed: Mapping[str, int]
    """How many, by ``Outcome``; without those that were done."""
    outage: Span
    """The longest time in which nothing of the kind was done, though some was due."""
    outages: tuple[Span, ...]
    """Each such time of 100 ms or more."""
    latency_s: Mapping[str, float]
    """``p50``, ``p90``, ``p99``, ``p999`` and ``max`` of ``ended_s - due_s`` of those done."""


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one drill."""

    kinds: Mapping[str, KindFigures]
    """By ``Kind``, of those that were asked for."""
    outage: Span
    """The longest of ``new``'s and ``kept``'s own, so that a stall of the one is not hidden by the other."""
    lost: Mapping[str, tuple[int, ...]]
    """Acknowledged and missing at a keeper: ``row at data1`` to the numbers."""
    doubtful: Mapping[str, int]
    """Not acknowledged and there nevertheless, which is allowed: by kind."""
    disagree: tuple[str, ...]
    """Sentences on keepers that do not have the same."""
    sessions_lost: int
    both_s: float | None
    """For how long two answered for one address; None where nobody could listen."""
    whole_after_s: float | None
    """From when the fault was undone until redundancy was whole; None for not in time."""
    late_s: Mapping[str, float]
    """How late the workload itself was: ``p99`` and ``max`` of ``sent_s - due_s``."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one drill showed."""

    fault: Fault
    word: Word
    """Broken if any ruling is; else unknown if any is; else kept."""
    rulings: tuple[Ruling, ...]
    figures: Figures
