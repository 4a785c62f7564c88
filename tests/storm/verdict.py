"""What the wire has to say after a storm: did two ever answer, and was there one in each calm?"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from tests.wire import Sighting, Turn, overlaps, turns

# Every balancer is asked each 5 ms. Two that both answer take turns at that pace; one that
# lets go and takes the address back needs several round trips and its announcement.
BACK_WITHIN_S = 0.03
# While all is well, nobody is silent for longer than this; less is what a busy host does.
SILENT_S = 0.25


@dataclass(frozen=True)
class Calm:
    """A time in which all had been well for long enough that somebody must answer."""

    from_s: float
    to_s: float


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Args:
        both: The turns of who spoke again although another had begun; empty if all is well.
        both_s: How long two answered, all such times together.
        moves: How often another began to answer.
        vacancy_s: The longest time without an answer, in the storm.
        unanswered: The calms in which nobody, or not somebody all the time, answered.
        heard: How many answers there were.
    """

    both: list[Turn]
    both_s: float
    moves: int
    vacancy_s: float
    unanswered: list[Calm]
    heard: int

    @property
    def is_kept(self) -> bool:
        """Whether the promises were kept."""
        return not self.both and not self.unanswered and self.heard > 0


def verdict(sightings: Sequence[Sighting], calms: Sequence[Calm]) -> Verdict:
    """Return the verdict on what was heard, in order of time."""
    both = overlaps(sightings, BACK_WITHIN_S)
    times = [seen.at_s for seen in sightings]
    return Verdict(
        both=both,
        both_s=together_s(sightings),
        moves=max(0, len(turns(sightings)) - 1 - len(both)),
        vacancy_s=max((b - a for a, b in itertools.pairwise(times)), default=0.0),
        unanswered=[calm for calm in calms if not _is_answered(times, calm)],
        heard=len(times),
    )


def together_s(sightings: Sequence[Sighting]) -> float:
    """Return for how long two answered: from when another spoke until who was first fell silent."""
    found = 0.0
    spoken = turns(sightings)
    for before, between, after in zip(spoken, spoken[1:], spoken[2:], strict=False):
        if before.hardware == after.hardware and after.first_s - before.last_s < BACK_WITHIN_S:
            found += after.first_s - between.first_s + between.last_s - between.first_s
    return found


def _is_answered(times: Sequence[float], calm: Calm) -> bool:
    inside = [at_s for at_s in times if calm.from_s <= at_s <= calm.to_s]
    marks = [calm.from_s, *inside, calm.to_s]
    return bool(inside) and max(b - a for a, b in itertools.pairwise(marks)) < SILENT_S
