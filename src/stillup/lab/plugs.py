"""The lab's plugs and cables for a drill: faults that undo themselves though the drill dies."""

import asyncio
from collections.abc import Sequence

from stillup.lab.lab import Lab


class Plugs:
    """What ``stillup.drill.power.Power`` asks for, at a lab that is up."""

    def __init__(self, lab: Lab) -> None:
        """Speak of a lab."""
        self._lab = lab

    async def off(self, servers: Sequence[str], for_s: float) -> None:
        """Pull servers' plugs in one moment; they are put back ``for_s`` later, and the servers boot."""
        await asyncio.to_thread(self._lab.power, *servers, on=False, for_s=for_s)

    async def cut(self, server: str, others: Sequence[str], *, one_way: bool, for_s: float) -> None:
        """Lose a server's frames at the switch; it carries them again ``for_s`` later."""
        await asyncio.to_thread(
            self._lab.cut, server, silent=True, others=others, one_way=one_way, for_s=for_s
        )

    async def heal(self) -> None:
        """Make every cable whole now."""
        await asyncio.to_thread(self._lab.heal)
