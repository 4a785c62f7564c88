"""Plays drills one after another.

Before each the farm must be whole: what a fault costs cannot be told of a farm that lacks
something already. After each it is healed in any case. A farm that does not become whole again
ends the run, as every later verdict would be about the fault before.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from stillup.drill.checker.judge import judge
from stillup.drill.fault import Fault
from stillup.drill.looking import await_whole
from stillup.drill.player import WHOLE_WITHIN_S, play
from stillup.drill.report.run import Played
from stillup.drill.report.timeline import played
from stillup.drill.stage import Stage
from stillup.drill.world import World
from stillup.errors import ChangeRefused, StillupError

READY_WITHIN_S = 60.0
"""An earlier command, or a drill that was killed, may have left the farm a moment short of whole."""


class Screen(Protocol):
    """Where the run is told."""

    def begins(self, name: str) -> None:
        """A drill begins."""
        ...

    def ended(self, played: Played) -> None:
        """A drill is over."""
        ...


@dataclass
class Course:
    """What has been played so far; it is there also when the run is stopped in the middle."""

    played: list[Played] = field(default_factory=list)
    stopped: str = ""


async def run(
    stage: Stage, faults: Sequence[Fault], screen: Screen, course: Course, *, anyway: bool = False
) -> None:
    """Play all of them, and write down in ``course`` what became of each.

    Args:
        stage: The farm, and the ways to it.
        faults: In the order in which they are played.
        screen: Is told when a drill begins and ends.
        course: Is filled.
        anyway: Begin though the farm is not whole.

    Raises:
        ChangeRefused: If the farm is not whole to begin with.
        StillupError: If a drill could not be played at all.
    """
    if not anyway:
        await _require_whole(stage)
    async with _healed(stage):
        for position, fault in enumerate(faults):
            if position and not anyway and (why := await _lacking(stage, WHOLE_WITHIN_S)):
                course.stopped = f"the farm is not whole after {faults[position - 1].name}: {why}"
                return
            screen.begins(fault.name)
            history = await play(stage, fault)
            verdict = await asyncio.to_thread(
                judge, fault, history, stage.farm.promises, stage.farm
            )
            course.played.append(await asyncio.to_thread(played, history, verdict))
            screen.ended(course.played[-1])


async def _require_whole(stage: Stage) -> None:
    stage.say("looking at the farm")
    if why := await _lacking(stage, READY_WITHIN_S):
        raise ChangeRefused(
            f"the farm is not whole, so that nothing could be told of a fault: {why}; "
            "`stillup status` says more, --anyway drills it all the same"
        )


async def _lacking(stage: Stage, within_s: float) -> str | None:
    """Wait until the farm is whole, and say why it is not."""
    return await await_whole(stage.farm, stage.access, within_s)


@asynccontextmanager
async def _healed(stage: Stage) -> AsyncIterator[None]:
    """End every fault when the block ends, however it does."""
    try:
        yield
    finally:
        try:
            await World(stage.farm, stage.access, stage.power).heal()
        except StillupError as error:
            stage.say(f"faults end by themselves: {error}")
