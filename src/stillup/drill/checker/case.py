"""All that a ruling is made of (pure)."""

from dataclasses import dataclass

from stillup.drill.checker import bounds
from stillup.drill.checker.figures import begun_s
from stillup.drill.checker.writes import Written
from stillup.drill.expectation import Expectation
from stillup.drill.fault import Fault
from stillup.drill.history import History
from stillup.drill.verdict import Figures
from stillup.model.farm import Farm, Promises


@dataclass(frozen=True)
class Case:
    """One drill, with what was counted and what is expected."""

    fault: Fault
    history: History
    promises: Promises
    farm: Farm
    figures: Figures
    written: tuple[Written, ...]
    expected: Expectation

    @property
    def from_s(self) -> float:
        """When the fault began to begin; 0 where there was none."""
        return begun_s(self.history)

    @property
    def late(self) -> str:
        """That the workload was itself late, as a sentence; "" where it was in time."""
        p99_s, max_s = self.figures.late_s["p99"], self.figures.late_s["max"]
        most_s = self.promises.outage_s / bounds.STEADY_SHARE
        if p99_s <= bounds.LATE_P99_S and max_s <= most_s:
            return ""
        return (
            f"the workload was itself late: by {p99_s * 1000:.0f} ms in 1 of 100 requests and by "
            f"{max_s * 1000:.0f} ms at most ({bounds.LATE_P99_S * 1000:.0f} and "
            f"{most_s * 1000:.0f} ms may be)"
        )
