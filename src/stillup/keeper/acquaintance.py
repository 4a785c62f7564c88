"""What the other keepers said last, and when: shared by the threads that ask them.

Acting, but without a clock of its own: times are given, in monotonic seconds.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stillup.keeper.seen import Heard
from stillup.keeper.words import Words

FRESH_S = 1.5
"""How long a keeper's words count. It is asked four times a second."""


@dataclass(frozen=True, slots=True)
class Told:
    """One keeper's words.

    Args:
        words: What it said.
        asked_s: When it was asked.
        heard_s: When it answered.
        founding: Whether the question told it that this server founds.
    """

    words: Words
    asked_s: float
    heard_s: float
    founding: bool


class Acquaintance:
    """The peers' last words."""

    def __init__(self, names: Iterable[str], now_s: float) -> None:
        self._lock = threading.Lock()
        self._told: dict[str, Told | None] = dict.fromkeys(names)
        self._usable_s = dict.fromkeys(self._told, now_s)

    def note(self, name: str, told: Told) -> None:
        """Keep what ``name`` said."""
        with self._lock:
            self._told[name] = told
            if told.words.usable:
                self._usable_s[name] = told.heard_s

    def told(self, now_s: float) -> dict[str, Told | None]:
        """Return each peer's words, None if they are too old to count."""
        with self._lock:
            return {
                name: said if said is not None and now_s - said.heard_s <= FRESH_S else None
                for name, said in self._told.items()
            }

    def silent_s(self, now_s: float) -> Mapping[str, float]:
        """Return for how long each peer has not said that the site may use it."""
        with self._lock:
            return {name: now_s - usable_s for name, usable_s in self._usable_s.items()}

    def cramped(self, now_s: float) -> frozenset[str]:
        """Return the peers that say their disk has no room."""
        told = self.told(now_s).items()
        return frozenset(name for name, said in told if said is not None and not said.words.room)


def heard(told: Mapping[str, Told | None], declared_s: float | None) -> dict[str, Heard | None]:
    """Return what ``next_step`` is to see; ``declared_s``: since when this server has declared."""
    return {
        name: None
        if said is None
        else Heard(
            said.words.report,
            since_declared=declared_s is not None and said.founding and said.asked_s >= declared_s,
        )
        for name, said in told.items()
    }
