"""A whole run of drills as a value (pure): what every form of the report is made of.

The JSON report is this, letter for letter (``document``), so the field's descriptions are the
schema's. Times named ``_s`` are seconds; those of one drill count from when its workload began.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from stillup.drill.history import Moment
from stillup.drill.verdict import Span, Verdict, Word
from stillup.model.farm import Promises


@dataclass(frozen=True)
class Asked:
    """What became of one group of requests, bin by bin; all of one length.

    What is counted when: a request that nobody answered belongs to the moment when it was *due*,
    one that was answered to the moment when the user *had* the answer. So a stall is a gap in
    ``done``, as long as it was, and what was asked meanwhile stands in ``failed`` or in the
    latencies.
    """

    due: tuple[int, ...]
    """How many were due in each bin."""
    done: tuple[int, ...]
    """How many were answered as they should be, in the bin in which they were."""
    failed: Mapping[str, tuple[int, ...]]
    """How many of those due in each bin were not, by outcome; only the outcomes that came up."""
    median_s: tuple[float | None, ...]
    """Half of those due in the bin and done took at most so long, from when they were due; null
    for none."""
    slowest_s: tuple[float | None, ...]
    """The longest that one of those due in the bin and done took; null for none."""


@dataclass(frozen=True, slots=True)
class Holding:
    """Who had a virtual IP, and from when to when."""

    address: str
    server: str
    """The server's name; an Ethernet address that is nobody's of the farm stands for itself."""
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How the farm stood, as ``stillup status`` says it, until the next of these."""

    at_s: float
    level: str
    """``serving``, ``at risk`` or ``down``."""
    whole: bool
    """Whether nothing was missing."""
    why: str


@dataclass(frozen=True)
class Timeline:
    """One drill in time, for charts."""

    bin_s: float
    """How long a bin is; the first begins at 0."""
    groups: Mapping[str, Asked]
    """``pages`` (on new and on kept connections), ``sessions``, ``rows``, ``files``: those asked for."""
    heard: tuple[Holding, ...] | None
    """Who answered for each virtual IP on the wire; null where nobody could listen."""
    said: tuple[Holding, ...]
    """Who said that it holds each virtual IP, as the looks at the farm saw it."""
    standings: tuple[Standing, ...]
    moments: tuple[Moment, ...]
    deaf: tuple[Span, ...]
    """When the listener was late itself, so that it may have missed something."""


@dataclass(frozen=True)
class Played:
    """One drill that was played."""

    name: str
    """The fault's name: what ``stillup drill NAME`` plays again."""
    planned: bool
    """Whether it is maintenance: nothing may fail at all."""
    began: str
    """Wall time, ISO 8601, UTC."""
    lasted_s: float
    verdict: Verdict
    timeline: Timeline
    notes: tuple[str, ...]
    """What the player noticed."""


@dataclass(frozen=True, slots=True)
class Taking:
    """A server that took part."""

    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Untested:
    """What was not played, and why."""

    name: str
    """A fault's name, or what several have in common: ``slow-disk at any server``."""
    why: str


@dataclass(frozen=True)
class Run:
    """A whole run."""

    farm: str
    """The farm's name."""
    began: str
    """Wall time, ISO 8601, UTC."""
    lasted_s: float
    command: str
    """The command line that plays it again."""
    version: str
    """Of stillup."""
    where: str
    """``lab`` or ``servers``."""
    machine: str
    """What the workload ran on: processors, memory, kernel."""
    servers: tuple[Taking, ...]
    promises: Promises
    """``[promises]`` of the farm file."""
    rates: Mapping[str, float]
    """What the workload asks for a second, by kind; ``download`` is how many at a time."""
    played: tuple[Played, ...]
    """In the order in which they were."""
    not_tested: tuple[Untested, ...] = ()
    stopped: str = ""
    """Why the run ended before all was played; "" where all was."""

    @property
    def word(self) -> Word:
        """The verdict of all of it: broken if one is, kept only if all are and all were played."""
        words = {played.verdict.word for played in self.played}
        if Word.BROKEN in words:
            return Word.BROKEN
        if words == {Word.KEPT} and not self.stopped:
            return Word.KEPT
        return Word.UNKNOWN
