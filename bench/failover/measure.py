"""From what a client and the wire noted to figures: pure."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.wire import Sighting, turns

# Each balancer is asked every 10 ms who has the address; one that answers again within
# this time has held it all the while.
HELD_WITHIN_S = 0.06
# What goes on at the very end of the watching for less than this is no outage.
NOTHING_S = 0.05
NEAR_S = 0.005
# What is shorter is no gap: the client asks every 2 ms.
LEAST_S = 0.006


@dataclass(frozen=True)
class Outage:
    """The longest time without an answer.

    Args:
        lasted_s: How long; up to the end of the watching if it did not end.
        ended: Whether it did.
    """

    lasted_s: float
    ended: bool = True


def outage(
    gaps: Iterable[Sequence[float]], late: Sequence[Sequence[float]], from_s: float, to_s: float
) -> Outage:
    """Return the longest outage between two instants, less how late the client was in it.

    Args:
        gaps: From one answer to the next, each; the last may have no end (infinity).
        late: When the client came late, and by how much: it could not ask meanwhile.
        from_s: What began earlier is counted from here.
        to_s: What goes on is counted to here, and has not ended.
    """
    found = Outage(0.0)
    for began_s, ended_s in gaps:
        own_s = sum(by_s for at_s, by_s in late if _lengthens(at_s, by_s, began_s, ended_s))
        lasted_s = min(ended_s, to_s) - max(began_s, from_s) - own_s
        if lasted_s > max(found.lasted_s, LEAST_S):
            found = Outage(lasted_s, ended_s <= to_s or lasted_s < NOTHING_S)
    return found


def _lengthens(at_s: float, by_s: float, began_s: float, ended_s: float) -> bool:
    """Whether the client slept at either end of a gap; in its midst that changes nothing."""
    if not began_s <= at_s <= ended_s:
        return False
    return at_s - by_s <= began_s + NEAR_S or at_s >= ended_s - NEAR_S


def late_s(late: Iterable[Sequence[float]], from_s: float, to_s: float) -> float:
    """Return how late the client itself was at most between two instants."""
    return max((by_s for at_s, by_s in late if from_s <= at_s <= to_s), default=0.0)


def both_s(sightings: Sequence[Sighting], from_s: float, to_s: float) -> float:
    """Return for how long two servers answered for the address between two instants."""
    inside = [seen for seen in sightings if from_s <= seen.at_s <= to_s]
    held = [_held(inside, hardware) for hardware in sorted({seen.hardware for seen in inside})]
    return sum(
        max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
        for ours, theirs in itertools.combinations(held, 2)
        for one in ours
        for other in theirs
    )


def moves(sightings: Sequence[Sighting], from_s: float, to_s: float) -> int:
    """Return how often another server began to answer, and the first to answer again."""
    inside = [seen for seen in sightings if from_s <= seen.at_s <= to_s]
    return max(0, len(turns(inside)) - 1)


def _held(sightings: Sequence[Sighting], hardware: str) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for at_s in [seen.at_s for seen in sightings if seen.hardware == hardware]:
        if found and at_s - found[-1][1] < HELD_WITHIN_S:
            found[-1] = (found[-1][0], at_s)
        else:
            found.append((at_s, at_s))
    return found


def summary(figures: Sequence[float]) -> Mapping[str, float]:
    """Return the smallest, the middle and the largest of some figures."""
    ordered = sorted(figures)
    half = len(ordered) // 2
    middle = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    return {"min": ordered[0], "median": middle, "max": ordered[-1]}
