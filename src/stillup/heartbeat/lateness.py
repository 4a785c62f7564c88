"""How late the daemon's own timers ran: pure."""

WINDOW_S = 60.0


class Lateness:
    """The longest lateness ever, and in the last one to two minutes.

    Attributes:
        longest_s: Since the start.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._began_s = 0.0
        self._now_s = 0.0
        self._before_s = 0.0

    def add(self, late_s: float, now_s: float) -> None:
        """Note that a timer ran ``late_s`` after it was due."""
        if now_s - self._began_s >= WINDOW_S:
            self._before_s = self._now_s if now_s - self._began_s < 2 * WINDOW_S else 0.0
            self._now_s, self._began_s = 0.0, now_s
        self._now_s = max(self._now_s, late_s)
        self.longest_s = max(self.longest_s, late_s)

    @property
    def recent_s(self) -> float:
        """The longest in the last one to two minutes."""
        return max(self._now_s, self._before_s)
