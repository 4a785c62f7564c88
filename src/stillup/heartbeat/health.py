"""Whether the watched service is able to serve, from what was seen of it: pure."""

from dataclasses import dataclass

FALL = 3
"""Checks in a row without an answer before a service that seems to hang counts as dead."""

RISE = 5
"""Answers in a row before a service that was dead counts as able again."""

PERIOD_S = 0.25
"""From the beginning of one check to the next while able; a hang is known after 0.75 to 1 s."""

PERIOD_DEAD_S = 0.1
"""From one check to the next while not able."""

TIMEOUT_S = 0.25
"""How long an answer may take."""


@dataclass(slots=True)
class Judge:
    """Follows one service.

    Attributes:
        healthy: None before the first check.
        reason: In words.
    """

    name: str
    healthy: bool | None = None
    reason: str = "not checked yet"
    _answers: int = 0
    _failures: int = 0

    def answered(self) -> None:
        """A check was answered as it should be."""
        self._failures = 0
        self._answers += 1
        if self.healthy is None or self._answers >= RISE:
            self.healthy, self.reason = True, f"{self.name} answers"

    def failed(self, why: str) -> None:
        """A check was not answered in time, or wrongly; that may pass."""
        self._answers = 0
        self._failures += 1
        if self.healthy is None or self._failures >= FALL:
            self._dead(why)

    def died(self, why: str) -> None:
        """It is certain that the service is not there: its process ended, nobody listens."""
        self._answers = 0
        self._dead(why)

    @property
    def period_s(self) -> float:
        """How long to wait for the next check."""
        return PERIOD_S if self.healthy else PERIOD_DEAD_S

    def _dead(self, why: str) -> None:
        self.healthy, self.reason = False, f"{self.name} {why}"
