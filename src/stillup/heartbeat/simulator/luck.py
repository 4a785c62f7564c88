"""The chance the simulator is given: ``random.Random(seed)``, as far as it is used."""

import random  # noqa: TID251 - made from a seed: a value, no chance
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Luck(Protocol):
    """What the simulator asks of ``random.Random``."""

    def random(self) -> float:
        """Return a number in [0, 1)."""

    def uniform(self, a: float, b: float) -> float:
        """Return a number between a and b."""

    def expovariate(self, lambd: float) -> float:
        """Return an exponentially distributed number with mean 1 / lambd."""

    def randint(self, a: int, b: int) -> int:
        """Return a whole number from a to b, both included."""

    def getrandbits(self, k: int, /) -> int:
        """Return k random bits."""

    @property
    def choice(self) -> Callable[[Sequence[Item]], Item]:
        """Return a function that picks one of a sequence."""


def seeded(seed: int) -> Luck:
    """Return the luck that belongs to a seed: the same draws every time."""
    return random.Random(seed)
