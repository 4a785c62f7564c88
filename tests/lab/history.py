"""What writers met with, and what of it must hold afterwards (pure).

A deed is *done* when the farm said so, *failed* when it is known that nothing was written, and
*unknown* in all other cases: a lost connection may have lost the answer alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

ROW, FILE, SESSION = "row", "file", "session"
DONE, FAILED, UNKNOWN = "done", "failed", "unknown"


@dataclass(frozen=True, slots=True)
class Deed:
    """One write: of which kind, its number, when it was due and ended, and how.

    ``number`` of a session's page is the count that the page told; 0 for none. Times are
    ``CLOCK_MONOTONIC``, in seconds.
    """

    kind: str
    number: int
    due_s: float
    ended_s: float
    outcome: str
    told: str = ""
    balancer: str = ""
    web: str = ""


@dataclass(frozen=True)
class History:
    """All deeds of one run, in any order."""

    deeds: tuple[Deed, ...]

    def of(self, kind: str, outcome: str | None = None) -> Iterator[Deed]:
        """Yield the deeds of one kind, and of one outcome if that is given."""
        for deed in self.deeds:
            if deed.kind == kind and outcome in {None, deed.outcome}:
                yield deed

    def done(self, kind: str) -> frozenset[int]:
        """Return the numbers of what was acknowledged."""
        return frozenset(deed.number for deed in self.of(kind, DONE))

    def gap_s(self, kind: str) -> float:
        """Return the longest time in which nothing of a kind was acknowledged, though due."""
        earlier_s, later_s = self.gap(kind)
        return later_s - earlier_s

    def gap(self, kind: str) -> tuple[float, float]:
        """Return when the longest such time began and ended."""
        due = [deed.due_s for deed in self.of(kind)]
        acknowledged = (deed.ended_s for deed in self.of(kind, DONE))
        times = sorted([min(due, default=0.0), *acknowledged, max(due, default=0.0)])
        return max(pairwise(times), key=lambda pair: pair[1] - pair[0])

    def told(self, kind: str, outcome: str) -> tuple[str, ...]:
        """Return what was said with an outcome, each once, the most frequent first."""
        said = [deed.told for deed in self.of(kind, outcome)]
        return tuple(sorted({*said}, key=lambda text: -said.count(text)))

    def summary(self) -> str:
        """Return the counts and gaps, for a person to read."""
        return "; ".join(
            f"{kind}s {sum(1 for _ in self.of(kind, DONE))} done"
            f" {sum(1 for _ in self.of(kind, FAILED))} failed"
            f" {sum(1 for _ in self.of(kind, UNKNOWN))} unknown, longest gap {self.gap_s(kind):.2f} s"
            for kind in (ROW, FILE, SESSION)
        )


def sessions_begun_anew(history: History) -> tuple[int, ...]:
    """Return the pages that counted no further than an acknowledged one before them.

    The pages are asked for one after another, so each that was acknowledged counts higher than
    all before it; one that does not was counted in a session that began anew.
    """
    fresh, highest = [], 0
    for deed in sorted(history.of(SESSION, DONE), key=lambda deed: deed.due_s):
        if deed.number <= highest:
            fresh.append(deed.number)
        highest = max(highest, deed.number)
    return tuple(fresh)


def never_answered(history: History) -> int:
    """Return how many deeds were given up by whoever waited for them."""
    return sum(deed.outcome == UNKNOWN and deed.told == "TimeoutError" for deed in history.deeds)


def missing(acknowledged: Iterable[int], found: Iterable[int]) -> tuple[int, ...]:
    """Return what was acknowledged and is not there, in order."""
    return tuple(sorted({*acknowledged} - {*found}))
