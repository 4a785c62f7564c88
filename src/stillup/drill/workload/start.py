"""Starts the workload and reads what it does, while it does it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from stillup.drill.history import Deed
from stillup.drill.programs import Program, Wrap, as_it_is
from stillup.drill.workload import settings
from stillup.drill.workload.lines import Began, Ended, parsed
from stillup.drill.workload.settings import Settings
from stillup.errors import DrillFailed

_START_S = 20.0
"""The lab's client takes a moment when the machine is busy."""
_END_S = 10.0


@dataclass(frozen=True, slots=True)
class Worked:
    """All that the workload did.

    Attributes:
        began: When second 0 was: wall time, ISO 8601 with seconds, UTC.
        lasted_s: Nothing was due after that.
        deeds: In order of when they were due.
        cpu_s: The processor time that the workload itself took.
    """

    began: str
    lasted_s: float
    deeds: tuple[Deed, ...]
    cpu_s: float


class Working:
    """The workload while it runs.

    Attributes:
        deeds: What is over so far, in order of ending; grows by itself.
        began: See ``Worked``.
        origin_s: Second 0 on this machine's monotonic clock.
    """

    def __init__(self, told: Settings, wrap: Wrap) -> None:
        self.deeds: list[Deed] = []
        self._began: Began | None = None
        self._ended: Ended | None = None
        longest_s = max((load.timeout_s for load in told.loads.values()), default=0.0)
        self._end_s = longest_s + _END_S
        self._program = Program("stillup.drill.workload", settings.line(told), wrap, self._read)
        self._program.await_first(_START_S)

    @property
    def began(self) -> str:
        """Wall time of second 0."""
        return self._first.wall

    @property
    def origin_s(self) -> float:
        """Second 0 on the monotonic clock."""
        return self._first.origin_s

    @property
    def _first(self) -> Began:
        if self._began is None:
            raise DrillFailed("the workload ended before it began")
        return self._began

    def stop(self) -> Worked:
        """Let it finish what is under way, which may take as long as the longest time-out.

        Raises:
            DrillFailed: If it died; ``deeds`` has what it did until then.
        """
        self._program.end(self._end_s)
        if self._ended is None:
            raise DrillFailed("the workload ended without a last word")
        deeds = tuple(sorted(self.deeds, key=lambda deed: deed.due_s))
        return Worked(self.began, self._ended.lasted_s, deeds, self._ended.cpu_s)

    def kill(self) -> None:
        """End it at once."""
        self._program.kill()

    def _read(self, line: str) -> None:
        match parsed(line):
            case Began() as told:
                self._began = told
            case Deed() as deed:
                self.deeds.append(deed)
            case Ended() as told:
                self._ended = told


@contextmanager
def working(told: Settings, wrap: Wrap = as_it_is) -> Iterator[Working]:
    """Have users ask until the block ends; it begins when the first request is due.

    Raises:
        DrillFailed: If it does not begin, with what it said.
    """
    load = Working(told, wrap)
    try:
        yield load
    finally:
        load.kill()
