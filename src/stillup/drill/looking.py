"""Looks at the farm again and again while a drill runs, as ``stillup status --watch`` does."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from stillup.drill.beside import beside
from stillup.drill.history import Look
from stillup.model.farm import Farm
from stillup.servers.connection import Access
from stillup.status.collect import Sessions
from stillup.status.judge import judge
from stillup.status.observed import Observed
from stillup.status.verdict import Level

EVERY_S = 1.0


@dataclass
class Looking:
    """Somebody who is looking; ``looks`` grows."""

    farm: Farm
    access: Access
    began_s: float
    """The drill's beginning on the monotonic clock, from which looks are timed."""
    looks: list[Look] = field(default_factory=list)
    _looked: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Look until cancelled; a look that takes longer is followed by the next at once."""
        sessions = Sessions(self.farm, self.access)
        try:
            while True:
                at_s = time.monotonic()
                self.looks.append(
                    look_of(self.farm, await sessions.look(), at_s=at_s - self.began_s)
                )
                self._looked.set()
                await asyncio.sleep(max(0.0, at_s + EVERY_S - time.monotonic()))
        finally:
            await sessions.close()

    async def whole(self, *, after_s: float, within_s: float) -> float | None:
        """Wait for a look, begun at ``after_s`` or later, that sees the farm whole.

        Returns:
            When that look began; None if none came within ``within_s``.
        """
        try:
            async with asyncio.timeout(within_s):
                while True:
                    self._looked.clear()
                    for look in reversed(self.looks):
                        if look.at_s < after_s:
                            break
                        if look.whole:
                            return look.at_s
                    await self._looked.wait()
        except TimeoutError:
            return None


@asynccontextmanager
async def looking(farm: Farm, access: Access, began_s: float) -> AsyncIterator[Looking]:
    """Look while the block runs."""
    eyes = Looking(farm, access, began_s)
    async with beside(eyes.run()):
        yield eyes


def look_of(farm: Farm, observed: Observed, *, at_s: float) -> Look:
    """Return one look as a history has it.

    The farm is whole when nothing at all is at risk, every server tells its state, and of each
    kind as many may die as by design.
    """
    verdict = judge(farm, observed)
    short = [each.what for each in verdict.redundancy if each.may_fail < each.by_design]
    silent = [server.name for server in verdict.servers if not server.reachable]
    whole = verdict.level is Level.SERVING and not short and not silent
    why = verdict.why
    if verdict.level is Level.SERVING and short:
        why = f"fewer {' and '.join(short)} than by design"
    holders = tuple((vip.address, vip.holder or "") for vip in verdict.vips)
    return Look(at_s, str(verdict.level), whole, why, holders)


async def await_whole(farm: Farm, access: Access, within_s: float) -> str | None:
    """Wait until the farm is whole; return what is missing if it is not in time, else None."""
    async with looking(farm, access, time.monotonic()) as eyes:
        if await eyes.whole(after_s=0.0, within_s=within_s) is not None:
            return None
        return eyes.looks[-1].why if eyes.looks else "it could not be looked at"
