"""What the kernels do for the address, and whether two of them speak from it at one instant.

A kernel holds, for a time. One that is armed takes what its giver passes on: once it was passed
anything it has connections of the address open and speaks from it too, so nobody else may hold
while it is armed. One that gave passes on, and speaks no more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stillup.heartbeat.events import Arm, Give, Hold, LetGo
from stillup.heartbeat.simulator.machine import Machine

NEVER_S = float("-inf")


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nobody answered for the address."""

    from_s: float
    to_s: float


class Kernels:
    """All kernels of a farm.

    Args:
        machines: The servers by name.

    Attributes:
        gaps: When nobody answered, but for what lasts still.
    """

    def __init__(self, machines: Mapping[str, Machine]) -> None:
        self._machines = machines
        self.gaps: list[Gap] = []
        self._covered_until_s = 0.0

    def do(self, machine: Machine, effect: Hold | LetGo | Arm | Give, now_s: float) -> str | None:
        """Carry out what a daemon wants; return what is wrong with it, if two speak now."""
        match effect:
            case Hold(until_s):
                _end_passing(machine)
                # A shell that comes too late finds that nothing is left.
                self._enforce(machine, max(machine.clock.true(until_s), now_s), now_s)
            case LetGo():
                self._let_go(machine, now_s)
            case Arm():
                self._arm(machine, effect, now_s)
            case Give(to, until_s):
                self._let_go(machine, now_s)
                machine.passing_to, machine.passing_until_s = to, machine.clock.true(until_s)
                if self._machines[to].armed_by == machine.name:
                    self._machines[to].was_passed = True
        return self._two_speak(now_s)

    def power_off(self, machine: Machine, now_s: float) -> None:
        """Forget what a machine did: it has no power."""
        _end_passing(machine)
        self._enforce(machine, now_s, now_s)

    def holder(self, now_s: float) -> str | None:
        """Return which kernel answers for the address now; None if none does."""
        return next((machine.name for machine in self._holding(now_s)), None)

    def gap_s(self, now_s: float) -> float:
        """Return for how long nobody has answered for the address."""
        return max(0.0, now_s - self._covered_until_s)

    def too_long(self, from_s: float, most_s: float, now_s: float) -> Gap | None:
        """Return a gap that lasted too long since an instant, counted from then on."""
        for gap in [*self.gaps, Gap(self._covered_until_s, now_s)]:
            if gap.to_s > from_s and gap.to_s - max(gap.from_s, from_s) > most_s:
                return gap
        return None

    def _let_go(self, machine: Machine, now_s: float) -> None:
        _disarm(machine)
        self._enforce(machine, now_s, now_s)

    def _enforce(self, machine: Machine, until_s: float, now_s: float) -> None:
        """Set until when a kernel answers."""
        was_s, machine.enforced_until_s = machine.enforced_until_s, until_s
        if until_s > now_s:
            if now_s > self._covered_until_s:
                self.gaps.append(Gap(self._covered_until_s, now_s))
            self._covered_until_s = until_s
        elif was_s > now_s:
            self._covered_until_s = now_s

    def _arm(self, taker: Machine, armed: Arm, now_s: float) -> None:
        giver = self._machines[armed.giver]
        if taker.armed_by != giver.name or taker.armed_until_s <= now_s:
            taker.was_passed = False
        taker.armed_by, taker.armed_until_s = giver.name, taker.clock.true(armed.until_s)
        if giver.passing_to == taker.name and giver.passing_until_s > now_s:
            taker.was_passed = True

    def _holding(self, now_s: float) -> Iterator[Machine]:
        return (m for m in self._machines.values() if m.enforced_until_s > now_s)

    def _two_speak(self, now_s: float) -> str | None:
        holding = [machine.name for machine in self._holding(now_s)]
        if len(holding) > 1:
            return f"{' and '.join(holding)} both hold"
        for taker in self._machines.values():
            speaks = taker.was_passed and taker.armed_until_s > now_s
            if speaks and holding not in ([], [taker.name]):
                return f"{holding[0]} holds while {taker.name} is armed and was passed packets"
        return None


def _disarm(machine: Machine) -> None:
    machine.armed_by, machine.armed_until_s, machine.was_passed = None, NEVER_S, False


def _end_passing(machine: Machine) -> None:
    _disarm(machine)
    machine.passing_to, machine.passing_until_s = None, NEVER_S
