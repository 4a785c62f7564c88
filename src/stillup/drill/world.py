"""Brings faults about, waits until they have undone themselves, and ends them early.

Power and cables are pulled from outside where somebody can (the lab); everything else, and
everything on real servers, the server does to itself (``stillup.node.faults``), with what undoes it
armed before it begins.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from stillup.deploy.session import open_all, raise_all, together, until
from stillup.drill.engines import UNITS, engines
from stillup.drill.fault import Action, Fault
from stillup.drill.history import Mark
from stillup.drill.power import Power
from stillup.errors import ServerFailed
from stillup.model.farm import Farm, Server
from stillup.node.message import Json, JsonObject
from stillup.servers.connection import Access, Connection

BACK_WITHIN_S = 90.0
"""So long after its time a server may take to boot, or to be reached again."""
LOOK_EVERY_S = 0.5
_BOOTS = frozenset({Action.POWER_OFF, Action.REBOOT})


@dataclass
class World:
    """The farm's servers as faults see them; for one fault at a time."""

    farm: Farm
    access: Access
    power: Power | None
    _boots: dict[str, str] = field(default_factory=dict)
    """Each server's boot before a fault that has it boot again."""
    _ends_s: float = 0.0

    async def begin(self, fault: Fault, mark: Callable[[Mark], object] = lambda _: None) -> None:
        """Begin a fault everywhere at once, and return when it has come about.

        Args:
            fault: Which.
            mark: Told ``FAULT`` right before it begins, and ``FAULT_BEGUN`` when it has come about.

        Raises:
            StillupError: If it did not somewhere; what had begun elsewhere is ended.
        """
        servers = self._of(fault.servers)
        async with open_all(self.access, servers) as sessions:
            raise_all(sessions.unreached.values())
            if fault.action in _BOOTS:
                self._boots = await sessions.ask(_boot)
            mark(Mark.FAULT)
            self._ends_s = time.monotonic() + fault.lasts_s
            if self.power is not None and fault.action is Action.POWER_OFF:
                await self.power.off(fault.servers, fault.lasts_s)
            elif self.power is not None and fault.action is Action.CUT:
                await self._cut(self.power, fault)
            else:
                in_s = await sessions.ask(lambda session: self._begin(session, fault))
                await asyncio.sleep(max(in_s.values()))
            mark(Mark.FAULT_BEGUN)

    async def undone(self, fault: Fault) -> None:
        """Wait until a fault has undone itself: its servers are there again, and nothing is left.

        Raises:
            ServerFailed: If it is not long after its time.
        """
        await asyncio.sleep(max(0.0, self._ends_s - time.monotonic()))
        left: dict[str, str] = {}

        async def over() -> bool:
            left.clear()
            left.update(await self._left(fault))
            return not left

        if not await until(over, within_s=BACK_WITHIN_S, every_s=LOOK_EVERY_S):
            raise ServerFailed("; ".join(f"{name}: {why}" for name, why in left.items()))

    async def heal(self) -> None:
        """End every fault there is, as far as it can be reached; the rest ends by itself."""
        if self.power is not None:
            await self.power.heal()
        async with open_all(self.access, self.farm.servers) as sessions:
            jobs = {name: session.request("fault.end") for name, session in sessions.open.items()}
            _, failed = await together(jobs)
        raise_all(failed.values())

    async def _cut(self, power: Power, fault: Fault) -> None:
        for name in fault.servers:
            await power.cut(name, fault.others, one_way=fault.one_way, for_s=fault.lasts_s)

    async def _begin(self, session: Connection, fault: Fault) -> float:
        asked: JsonObject = {"action": str(fault.action), "seconds": fault.lasts_s}
        asked["address"] = str(session.server.address)
        asked |= {"one_way": fault.one_way, "percent": fault.percent}
        others: list[Json] = [str(server.address) for server in self._of(fault.others)]
        units: list[Json] = [UNITS[name] for name in self._engines(session.server, fault)]
        answer = await session.request("fault.begin", {**asked, "others": others, "units": units})
        in_s = answer.get("in_s")
        return float(in_s) if isinstance(in_s, int | float) else 0.0

    def _engines(self, server: Server, fault: Fault) -> Iterable[str]:
        return (fault.engine,) if fault.engine else engines(self.farm, server)

    def _of(self, names: Iterable[str]) -> list[Server]:
        return [server for server in self.farm.servers if server.name in set(names)]

    async def _left(self, fault: Fault) -> dict[str, str]:
        """Return what is not over yet, by server."""
        async with open_all(self.access, self._of(fault.servers)) as sessions:
            jobs = {name: session.request("fault.state") for name, session in sessions.open.items()}
            told, failed = await together(jobs)
        left = {name: str(error) for name, error in {**sessions.unreached, **failed}.items()}
        for name, state in told.items():
            if state.get("under_way") is True:
                left[name] = "the fault is still there"
            elif name in self._boots and state.get("boot") == self._boots[name]:
                left[name] = "it has not booted again"
        return left


async def _boot(session: Connection) -> str:
    return str((await session.request("fault.state")).get("boot"))
