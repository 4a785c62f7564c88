"""When to announce on the LAN where an address is, and what others claim of it: pure."""

from dataclasses import dataclass

REPEATS_S = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""When to announce after the address was gained, or after the network changed.

At once, then soon again as the first ones may be lost while switches learn, then ever more
seldom for those who were away.
"""

REFRESH_S = 30.0
"""From one announcement to the next for as long as the address is held: it costs nothing and
bounds a black hole that nobody foresaw."""

DEFEND_S = 0.1
"""The shortest time from one answer to a foreign claim to the next."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody said that an address is at a hardware address."""

    address: str
    hardware: bytes


class Repeats:
    """When the next announcement is due.

    ``begin`` starts the series anew; a foreign claim does so too, at most every
    ``DEFEND_S``, so that two servers that both believe to hold cannot flood the LAN.
    """

    def __init__(self) -> None:
        self.due_s: float | None = None
        self._began_s = 0.0
        self._number = 0

    def begin(self, now_s: float) -> None:
        """Announce now and again as ``REPEATS_S`` says."""
        self._began_s = now_s
        self._number = 0
        self.due_s = now_s

    def end(self) -> None:
        """Announce no more."""
        self.due_s = None

    def defend(self, now_s: float) -> bool:
        """Begin anew after a foreign claim, if that is not too soon; return whether."""
        if self.due_s is None or (self._number > 0 and now_s - self._began_s < DEFEND_S):
            return False
        self.begin(now_s)
        return True

    def announced(self, now_s: float) -> None:
        """Note that the due announcement was made, and set the next one."""
        self._number += 1
        if self._number < len(REPEATS_S):
            self.due_s = max(self._began_s + REPEATS_S[self._number], now_s)
        else:
            self.due_s = now_s + REFRESH_S


def spoken(hardware: bytes) -> str:
    """Return a hardware address as people write it."""
    return hardware.hex(":")
