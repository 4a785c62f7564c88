"""When which request is due (pure): from the clock alone, whatever became of those before.

The ``n``-th request of a kind is due ``n / per_s`` after the kind's first; the kinds begin one
after another within their first interval, so that they do not come in one burst.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

from stillup.drill.history import Kind
from stillup.drill.workload.settings import Load


@dataclass(frozen=True, slots=True)
class Due:
    """A request that is due; ``at_s`` since the workload began."""

    at_s: float
    kind: Kind
    number: int


class Schedule:
    """All that will be due, without an end.

    Args:
        loads: How much of each kind.
        first: The first number of each kind.
    """

    def __init__(self, loads: Mapping[Kind, Load], first: int) -> None:
        self._first = first
        self._every_s = {kind: 1 / load.per_s for kind, load in loads.items() if load.per_s > 0}
        kinds = sorted(self._every_s)
        self._phase_s = {
            kind: self._every_s[kind] * place / len(kinds) for place, kind in enumerate(kinds)
        }
        self._heap = [(self._phase_s[kind], kind, 0) for kind in kinds]
        heapq.heapify(self._heap)

    @property
    def next_s(self) -> float:
        """When the next one is due; infinity for never."""
        return self._heap[0][0] if self._heap else float("inf")

    def due(self, now_s: float) -> list[Due]:
        """Take and return what has become due, in order."""
        found = []
        while self._heap and self._heap[0][0] <= now_s:
            at_s, kind, count = heapq.heappop(self._heap)
            found.append(Due(at_s, kind, self._first + count))
            if kind is not Kind.DOWNLOAD:
                later_s = self._phase_s[kind] + (count + 1) * self._every_s[kind]
                heapq.heappush(self._heap, (later_s, kind, count + 1))
        return found

    def over(self, due: Due, now_s: float) -> None:
        """Note that a download is over: the next one is due now, but no more than ``per_s`` are."""
        at_s = max(now_s, due.at_s + self._every_s[due.kind])
        heapq.heappush(self._heap, (at_s, due.kind, due.number - self._first + 1))
