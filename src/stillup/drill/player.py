"""Plays one drill: users, a fault among them, and what was written down meanwhile.

    install the pages, begin the tables
    users ask, a listener listens, somebody looks once a second
    STEADY_S   nothing: what the farm is like without a fault
    FAULT      the fault begins, and undoes itself on the server after its time
    UNDONE     until the farm says that its redundancy is whole, WHOLE_WITHIN_S at most
    AFTER_S    nothing again; the users end
    ask every keeper of data what it has, remove the pages

However it ends (a failure, Ctrl-C), the fault is ended and the pages are removed; killed with -9,
the servers do both themselves.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from stillup.deploy.session import open_all, raise_all
from stillup.drill import planned
from stillup.drill.beside import beside
from stillup.drill.fault import Action, Fault
from stillup.drill.history import Copies, History, Mark, Moment
from stillup.drill.looking import Looking, looking
from stillup.drill.probes import Probes
from stillup.drill.stage import Stage
from stillup.drill.users import asking, hardware, listening
from stillup.drill.workload.of_farm import settings_for
from stillup.drill.world import World
from stillup.errors import StillupError
from stillup.model.farm import Role

STEADY_S = 4.0
AFTER_S = 2.0
WHOLE_WITHIN_S = 240.0
"""A server that was off boots, gets what it missed of the database and heals its files."""
PAGES_S = 180
"""So long after the tool's death the pages are gone; longer than a server is ever away."""
PLANNED_WITHIN_S = 900.0
"""Each server reboots in turn, and each waits for the last one's data to be whole."""


@dataclass
class Written:
    """What is written down while a drill is played."""

    began_s: float
    moments: list[Moment] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def mark(self, mark: Mark, text: str = "", *, at_s: float | None = None) -> float:
        """Write down that something happened now, or at ``at_s``; return when."""
        at_s = time.monotonic() - self.began_s if at_s is None else at_s
        self.moments.append(Moment(at_s, mark, text))
        return at_s


async def play(stage: Stage, fault: Fault) -> History:
    """Play one drill and return what was written down.

    Raises:
        StillupError: If it could not begin (no pages, no users), or the users died. What fails
            otherwise is in the history's notes.
    """
    async with _pages(stage) as probes:
        return await _play(stage, fault, probes)


@asynccontextmanager
async def _pages(stage: Stage) -> AsyncIterator[Probes]:
    """Have the farm's probe pages while the block runs."""
    probes = Probes(stage.farm, secrets.token_hex(16))
    async with open_all(stage.access, stage.farm.having(Role.WEB)) as sessions:
        raise_all(sessions.unreached.values())
        await probes.install(sessions, PAGES_S)
    try:
        async with beside(_keep(stage, probes)):
            yield probes
    finally:
        # Sessions of its own: those of before may have been cut off with their servers.
        async with open_all(stage.access, stage.farm.servers) as sessions:
            try:
                await probes.remove(sessions)
            except StillupError as error:
                stage.say(f"the drill's pages are removed by the servers themselves: {error}")


async def _keep(stage: Stage, probes: Probes) -> None:
    """Put the pages' end off again and again; a server that is away has time until it is back."""
    while True:
        await asyncio.sleep(PAGES_S / 6)
        async with open_all(stage.access, stage.farm.having(Role.WEB)) as sessions:
            with suppress(StillupError):
                await probes.put_off(sessions, PAGES_S)


async def _play(stage: Stage, fault: Fault, probes: Probes) -> History:
    settings = settings_for(stage.farm, probes.token, share=stage.share)
    async with (
        asking(settings, stage.as_user) as users,
        listening(stage.farm, users.origin_s, stage.as_user) as ears,
    ):
        written = Written(users.origin_s)
        async with looking(stage.farm, stage.access, users.origin_s) as eyes:
            stage.say("users ask")
            await asyncio.sleep(STEADY_S)
            names = await asyncio.to_thread(hardware, stage.farm, stage.as_user)
            await _befall(stage, fault, written)
            stage.say("waiting until redundancy is whole")
            await _until_whole(eyes, written)
            await asyncio.sleep(AFTER_S)
        worked = await asyncio.to_thread(users.stop)
        heard, deaf_s = await asyncio.to_thread(ears.stop)
    stage.say("asking what was kept")
    copies = await _kept(stage, probes, written)
    return History(
        began=worked.began,
        lasted_s=worked.lasted_s,
        deeds=worked.deeds,
        moments=tuple(written.moments),
        looks=tuple(eyes.looks),
        heard=heard,
        deaf_s=deaf_s,
        copies=copies,
        names=names,
        notes=(*written.notes, *([f"the listener: {ears.why}"] if ears.why else [])),
    )


async def _befall(stage: Stage, fault: Fault, written: Written) -> None:
    """Have the fault happen and wait until it is undone, whatever comes of it."""
    stage.say("the fault")
    try:
        if fault.action is Action.NONE:
            written.mark(Mark.FAULT)
            written.mark(Mark.FAULT_BEGUN)
            await asyncio.sleep(fault.lasts_s)
        elif fault.planned:
            await _change(stage, fault, written)
        else:
            await _happen(stage, fault, written)
    except StillupError as error:
        written.notes.append(str(error))
    written.mark(Mark.UNDONE)


async def _change(stage: Stage, fault: Fault, written: Written) -> None:
    """Make a change on purpose; that it failed is a moment of the history."""
    written.mark(Mark.FAULT)
    written.mark(Mark.FAULT_BEGUN)
    try:
        async with asyncio.timeout(PLANNED_WITHIN_S):
            await planned.do(stage, fault)
    except StillupError as error:
        written.mark(Mark.FAILED, str(error))
    except TimeoutError:
        written.mark(Mark.FAILED, f"not done after {PLANNED_WITHIN_S:g} s")


async def _happen(stage: Stage, fault: Fault, written: Written) -> None:
    world = World(stage.farm, stage.access, stage.power)
    try:
        await world.begin(fault, written.mark)
        stage.say("waiting until the fault is undone")
        await world.undone(fault)
    except BaseException:
        await world.heal()
        raise


async def _until_whole(eyes: Looking, written: Written) -> None:
    undone_s = written.moments[-1].at_s
    whole_s = await eyes.whole(after_s=undone_s, within_s=WHOLE_WITHIN_S)
    if whole_s is not None:
        written.mark(Mark.WHOLE, at_s=whole_s)
        return
    last = eyes.looks[-1].why if eyes.looks else "it was not looked at"
    written.notes.append(f"not whole {WHOLE_WITHIN_S:g} s after the fault was undone: {last}")


async def _kept(stage: Stage, probes: Probes, written: Written) -> tuple[Copies, ...]:
    async with open_all(stage.access, stage.farm.servers) as sessions:
        written.notes += map(str, sessions.unreached.values())
        try:
            return await probes.kept(sessions)
        except StillupError as error:
            written.notes.append(f"what was kept is not known: {error}")
            return ()
