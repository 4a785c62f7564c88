"""The simulated network: loses, delays, doubles, reorders, and is cut in both or one direction."""

from dataclasses import dataclass, field

from stillup.heartbeat.simulator.luck import Luck

STRAGGLE_LEASES = 2
"""How late the latest datagram of a trial arrives, in leases."""


@dataclass(frozen=True)
class Weather:
    """How bad the network is.

    Args:
        loss: Share of the datagrams that are lost.
        double: Share that arrive twice.
        straggle: Share that arrive very late.
        delay_s: The shortest time a datagram takes.
        jitter_s: The mean of what comes on top.
        straggle_s: The longest a straggler takes.
    """

    loss: float = 0.0
    double: float = 0.0
    straggle: float = 0.0
    delay_s: float = 0.0001
    jitter_s: float = 0.0001
    straggle_s: float = 0.0


@dataclass
class Network:
    """Decides when, if at all, a datagram arrives.

    Args:
        luck: Decides.
        weather: How bad it is now.
        cut: The (from, to) pairs between which nothing gets through.
    """

    luck: Luck
    weather: Weather = field(default_factory=Weather)
    cut: set[tuple[str, str]] = field(default_factory=set)

    def delays_s(self, sender: str, to: str) -> tuple[float, ...]:
        """Return how long each copy of a datagram takes; nothing if it is lost."""
        if (sender, to) in self.cut:
            return ()
        weather, luck = self.weather, self.luck
        if weather.loss and luck.random() < weather.loss:
            return ()
        first_s = self._delay_s()
        if weather.double and luck.random() < weather.double:
            return (first_s, self._delay_s())
        return (first_s,)

    def connected(self, one: str, other: str) -> bool:
        """Return whether datagrams pass in both directions."""
        return (one, other) not in self.cut and (other, one) not in self.cut

    def _delay_s(self) -> float:
        weather, luck = self.weather, self.luck
        if weather.straggle and luck.random() < weather.straggle:
            return luck.uniform(0, weather.straggle_s)
        return weather.delay_s + luck.expovariate(1 / weather.jitter_s)
