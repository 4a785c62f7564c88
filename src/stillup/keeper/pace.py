"""How fast the keeper goes: how long things have been so, and when a start is tried again: pure."""

from stillup.keeper.seen import Phase
from stillup.keeper.steps import Await, Found, Join, Rest, Step

FIRST_S = 2.0
LONGEST_S = 30.0
"""The pause between two starts that did not succeed: doubled from the first to the longest."""


class Pace:
    """The keeper's clocks; all times are monotonic seconds."""

    def __init__(self, now_s: float) -> None:
        self._phase, self._phase_since_s = Phase.UNREAD, now_s
        self._quiet_since_s: float | None = None
        self._named: str | None = None
        self._named_since_s = now_s
        self._again_s, self._pause_s = now_s, FIRST_S

    def clocks(self, phase: Phase, now_s: float, *, is_quiet: bool) -> tuple[float, float]:
        """Return for how long it has been quiet, and for how long it has been in its phase.

        ``is_quiet``: every keeper answers and none is in a primary component.
        """
        if phase is not self._phase:
            self._phase, self._phase_since_s = phase, now_s
        if phase is Phase.MEMBER:
            self._again_s, self._pause_s = now_s, FIRST_S
        if not is_quiet:
            self._quiet_since_s = None
        elif self._quiet_since_s is None:
            self._quiet_since_s = now_s
        quiet_s = 0.0 if self._quiet_since_s is None else now_s - self._quiet_since_s
        return quiet_s, now_s - self._phase_since_s

    def named_s(self, name: str | None, now_s: float) -> float:
        """Return for how long ``name`` has been named the writer, as seen here."""
        if name != self._named:
            self._named, self._named_since_s = name, now_s
        return now_s - self._named_since_s

    def allowed(self, step: Step, now_s: float) -> Step:
        """Return the step, or a rest if it is a start and the last one was a moment ago."""
        if not isinstance(step, Join | Await | Found):
            return step
        if now_s < self._again_s:
            return Rest("MariaDB did not come up; it is tried again in a moment")
        self._again_s = now_s + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_S)
        return step
