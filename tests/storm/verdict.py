"""What the wire has to say after a storm: did two ever answer, and was there one in each calm?"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from tests.wire import Sighting, Turn, overlaps, turns

# Every balancer is asked each 5 ms, in rounds. Two that both answer take turns at that pace, and
# neither leaves a round out. One that let the address go and has it back this soon, as a planned
# move allows, said nothing in a round that the other answered.
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
    both = [turn for turn in overlaps(sightings, BACK_WITHIN_S) if not _let_go(turn, sightings)]
    times = [seen.at_s for seen in sightings]
    return Verdict(
        both=both,
        both_s=together_s(sightings, both),
        moves=max(0, len(turns(sightings)) - 1 - len(both)),
        vacancy_s=max((b - a for a, b in itertools.pairwise(times)), default=0.0),
        unanswered=[calm for calm in calms if not _is_answered(times, calm)],
        heard=len(times),
    )


def together_s(sightings: Sequence[Sighting], both: Sequence[Turn]) -> float:
    """Return for how long two answered: from when another spoke until who was first fell silent.

    Args:
        sightings: In order of time.
        both: The turns of who spoke again although another had begun.
    """
    found = 0.0
    spoken = turns(sightings)
    for before, between, after in zip(spoken, spoken[1:], spoken[2:], strict=False):
        if before.hardware == after.hardware and after in both:
            found += after.first_s - between.first_s + between.last_s - between.first_s
    return found


def _let_go(turn: Turn, sightings: Sequence[Sighting]) -> bool:
    """Return whether the speaker left a round to another, between its turn before and this one."""
    near = [seen for seen in sightings if abs(seen.at_s - turn.first_s) <= BACK_WITHIN_S]
    own = [seen for seen in near if seen.hardware == turn.hardware]
    before = [seen.asked for seen in own if seen.asked is not None and seen.at_s < turn.first_s]
    since = [seen.asked for seen in own if seen.asked is not None and seen.at_s >= turn.first_s]
    others = [seen.asked for seen in near if seen.asked is not None and seen not in own]
    return bool(before and since) and any(max(before) < each < min(since) for each in others)


def _is_answered(times: Sequence[float], calm: Calm) -> bool:
    inside = [at_s for at_s in times if calm.from_s <= at_s <= calm.to_s]
    marks = [calm.from_s, *inside, calm.to_s]
    return bool(inside) and max(b - a for a, b in itertools.pairwise(marks)) < SILENT_S
