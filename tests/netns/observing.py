"""What a client and a watcher on the wire see of an address while something happens."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.asker import Asked, latest_s, longest_outage_s
from tests.netns.farm import BALANCERS, LEASE_MS, VIP, Farm, wait_for
from tests.wire import Sighting, Turn, overlaps, turns

LEASE_S = LEASE_MS / 1000
OUTAGE_S = LEASE_S + 0.1
BEFORE_S = 0.3
AFTER_S = 0.7
NEAR_S = 0.05


@dataclass
class Seen:
    """What the client and the wire have to say."""

    asked: list[Asked] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)

    @property
    def outage_s(self) -> float:
        """The longest outage, less how late the client itself was at most in all that time."""
        return longest_outage_s(self.asked) - latest_s(self.asked)

    def speakers(self, farm: Farm) -> list[str]:
        """Return who answered for the address, one after another."""
        names = {farm.hardware(name): name for name in BALANCERS}
        return [names.get(turn.hardware, turn.hardware) for turn in turns(self.sightings)]


@contextmanager
def observed(farm: Farm, vip: str = VIP, *, planned: bool = False) -> Iterator[Seen]:
    """Ask and watch from before what happens inside until after it.

    Args:
        planned: The address is given away: what is open lives on at the giver, whose packets go
            on, so that only who claims the address counts.
    """
    seen = Seen()
    watcher, asker = farm.watcher(vip, arp_only=planned and ":" not in vip), farm.asker(vip)
    try:
        time.sleep(BEFORE_S)
        yield seen
        time.sleep(AFTER_S)
    finally:
        try:
            heard = watcher.stop()
        finally:
            seen.asked = asker.stop()
    servers = {farm.hardware(name) for name in BALANCERS}
    seen.sightings = [
        sighting
        for sighting in heard
        if sighting.hardware in servers and not (planned and sighting.kind == "packet")
    ]
    twice = overlaps(seen.sightings, LEASE_S)
    assert twice == [], [each for each in seen.sightings if _is_near(each, twice)]


def _is_near(sighting: Sighting, twice: list[Turn]) -> bool:
    return any(abs(sighting.at_s - turn.first_s) < NEAR_S for turn in twice)


def moved(farm: Farm, to: str = "lb2", vip: str = VIP) -> None:
    """Wait until ``to`` holds an address."""
    wait_for(lambda: farm.holds(to, vip), f"{to} holds {vip}", 5.0)
