"""How long what may take, in seconds (pure): the promise, and the design's own figures where it has none.

``[promises] outage`` is about pages. Rows and files that are under way when one of their keepers
dies wait until the others agree that it is dead, so these have bounds of their own; sessions
are rows.
"""

from dataclasses import dataclass

from stillup.drill.expectation import touches
from stillup.drill.fault import Fault
from stillup.drill.history import Kind
from stillup.model.farm import Farm, Promises, Role

ROW_S = 4.0
"""The longest time without a row when a database server, or its tie-breaker, is lost."""
FILE_S = 6.0
"""The longest time without a file when a storage server, its tie-breaker, or a web server that may
have locked something there, is lost."""
PLANNED_S = 0.1
"""The longest time without a page in a planned change."""
SETTLED_S = 6.0
"""So long after a fault began every user is served as if there were none: the longest of the above."""
SETTLED_SHARE = 0.05
"""So many of the requests may still be slow or fail then."""
STEADY_SHARE = 3.0
"""Without a fault no wait may be longer than this part (a third) of the bound on it, and the
workload not later: otherwise it could not tell what a fault costs."""
LATE_P99_S = 0.05
"""The workload's own lateness, at most, of 99 in 100 requests."""
DEAF_S = 0.1
"""The longest time in which the listener may have missed something."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How long there may be nothing of one kind, and whose word that is."""

    most_s: float
    by: str
    """As the end of a sentence: ``promised``, ``when the database loses a server``."""


def bound(kind: Kind, fault: Fault, promises: Promises, farm: Farm) -> Bound:
    """Return how long a fault may leave users without anything of a kind."""
    if fault.planned and kind in {Kind.NEW, Kind.KEPT}:
        return Bound(PLANNED_S, "in a planned change")
    if kind in {Kind.ROW, Kind.SESSION} and touches(farm, fault, Role.DATABASE):
        return Bound(max(ROW_S, promises.outage_s), "when the database loses a server")
    if kind is Kind.FILE and touches(farm, fault, Role.STORAGE):
        return Bound(
            max(FILE_S, promises.outage_s), "when the storage loses a server or who uses it"
        )
    return Bound(promises.outage_s, "promised")
