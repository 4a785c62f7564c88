"""Somebody on the wire of the simulated farm."""

from dataclasses import dataclass, field

from stillup.heartbeat.simulator.luck import Luck


@dataclass
class Spy:
    """Somebody on the wire who records every datagram and sends old ones again.

    Args:
        share: How many it sends, as a share of those it hears.
        heard: What it has recorded, and for whom.
    """

    share: float
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    def hear(self, to: str, data: bytes, luck: Luck) -> tuple[str, bytes] | None:
        """Record a datagram; return one to send again, if any."""
        self.heard.append((to, data))
        if luck.random() >= self.share:
            return None
        return self.heard[int(luck.random() * len(self.heard))]
