"""Two balancers and nothing else, in namespaces."""

import signal
from dataclasses import dataclass, field

from tests.netns.farm import Farm

from stillup.heartbeat.settings_reader import Json

PAIR = {"lb1": "10.0.0.2", "lb2": "10.0.0.3"}


@dataclass
class PairFarm(Farm):
    """Two balancers.

    Args:
        witness: The address that they ping; None for none.
    """

    servers: dict[str, str] = field(default_factory=lambda: dict(PAIR))
    witness: str | None = None

    def settings(self, name: str) -> dict[str, Json]:
        return {**super().settings(name), "witness": self.witness}

    def lose_power(self, name: str) -> None:
        """Let a balancer say no more, and take its machine off the LAN."""
        self.forward(name, on=False)
        self.signal_daemon(name, signal.SIGKILL)
        self.daemons[name].wait()
