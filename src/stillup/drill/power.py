"""Who can pull a server's plug or cable from outside (the lab can; of real servers nobody)."""

from collections.abc import Sequence
from typing import Protocol


class Power(Protocol):
    """Plugs and cables; each comes back by itself, also when the tool is dead by then."""

    async def off(self, servers: Sequence[str], for_s: float) -> None:
        """Pull servers' plugs in one moment; they are put back ``for_s`` later."""
        ...

    async def cut(self, server: str, others: Sequence[str], *, one_way: bool, for_s: float) -> None:
        """Lose a server's frames, those from and to ``others`` only if there are any."""
        ...

    async def heal(self) -> None:
        """Make every cable whole now."""
        ...
