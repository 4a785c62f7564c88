"""Writes down what a trial does to a farm, as the commands of a scenario.

A trial is a function of its seed, but a seed tells a person nothing. The commands do, can be
played again by themselves (``scenario.py``) and can be made fewer (``shrink.py``). The network's
chance is not among them: it is drawn from a seed that the first command names.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields

from stillup.heartbeat.core import Node
from stillup.heartbeat.events import (
    DatagramReceived,
    Event,
    HealthChanged,
    MoveAsked,
    Resumed,
    Stopping,
    TimerFired,
    YieldAsked,
)
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.simulator.luck import Luck
from stillup.heartbeat.simulator.machine import Clock
from stillup.heartbeat.simulator.network import Network, Weather
from stillup.heartbeat.simulator.spy import Spy
from stillup.heartbeat.simulator.world import Build, World


class Recorder:
    """Makes a world that writes down what is done to it.

    Attributes:
        lines: The commands so far.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth = 0
        self._at_s = 0.0
        self._world: World | None = None

    def world(
        self,
        electorate: Electorate,
        clocks: dict[str, Clock],
        luck: Luck,
        build: Build = Node,
        preferred: str | None = None,
        spy: Spy | None = None,
        nature: int = 0,
    ) -> World:
        """Make the world; what is done to it from now on is written down."""
        self.lines.append(_farm(electorate, clocks, preferred, spy, nature))
        world = _RecordedWorld(electorate, clocks, luck, build, preferred, spy, nature)
        world.recorder = self
        network = _RecordedNetwork(world.network.luck)
        network.cut = _Cuts(self)
        network.recorder = self
        world.network = network
        self._world = world
        return world

    def commands(self) -> list[str]:
        """Return the commands so far, and that time passes up to now."""
        now_s = self._world.now_s if self._world is not None else 0.0
        return [*self.lines, f"until {now_s!r}"]

    @contextmanager
    def command(self, line: str) -> Iterator[None]:
        """Write a command down, unless it is part of one that is under way."""
        if self._depth == 0:
            self.note(line)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def note(self, line: str) -> None:
        """Write a command down, and before it when it was given."""
        now_s = self._world.now_s if self._world is not None else 0.0
        if now_s != self._at_s:
            self._at_s = now_s
            self.lines.append(f"until {now_s!r}")
        self.lines.append(line)


class _RecordedWorld(World):
    """A farm that has what is done to it written down."""

    recorder: Recorder | None = None

    def start(self, name: str) -> None:
        with self._command(f"start {name}"):
            super().start(name)

    def kill(self, name: str) -> None:
        with self._command(f"kill {name}"):
            super().kill(name)

    def power_off(self, name: str) -> None:
        with self._command(f"power-off {name}"):
            super().power_off(name)

    def freeze(self, name: str, after: int | None = None) -> None:
        words = f"freeze {name}" if after is None else f"freeze {name} after {after}"
        with self._command(words):
            super().freeze(name, after)

    def thaw(self, name: str) -> None:
        with self._command(f"thaw {name}"):
            super().thaw(name)

    def set_health(self, name: str, *, healthy: bool) -> None:
        with self._command(f"well {name}" if healthy else f"sick {name}"):
            super().set_health(name, healthy=healthy)

    def tell(self, name: str, event: Event) -> None:
        if isinstance(event, DatagramReceived | TimerFired | HealthChanged):
            super().tell(name, event)
            return
        with self._command(_told(name, event)):
            super().tell(name, event)

    def expect_holder(self, name: str | None = None) -> None:
        with self._command(" ".join(["answered", *([name] if name else [])])):
            super().expect_holder(name)

    def expect_steady(self, from_s: float, most_s: float) -> None:
        with self._command(f"steady {from_s!r} {most_s!r}"):
            super().expect_steady(from_s, most_s)

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "late_s" and self.recorder is not None:
            self.recorder.note(f"late {value!r}")

    @contextmanager
    def _command(self, line: str) -> Iterator[None]:
        assert self.recorder is not None
        with self.recorder.command(line):
            yield


class _RecordedNetwork(Network):
    """A network that has its weather written down."""

    recorder: Recorder | None = None

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if isinstance(value, Weather) and self.recorder is not None:
            self.recorder.note(weather_command(value))


class _Cuts(set[tuple[str, str]]):
    """The cuts of a network, written down as they are made and mended."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def update(self, *pairs: Iterable[tuple[str, str]]) -> None:
        more = set[tuple[str, str]]().union(*pairs)
        if more:
            self._recorder.note(f"sever {_arrows(more)}")
        super().update(more)

    def difference_update(self, *pairs: Iterable[object]) -> None:
        fewer = {pair for pair in self if any(pair in some for some in map(set, pairs))}
        if fewer:
            self._recorder.note(f"mend {_arrows(fewer)}")
        super().difference_update(fewer)


def weather_command(weather: Weather) -> str:
    """Return the command that makes this weather."""
    values = " ".join(
        f"{field.name}={getattr(weather, field.name)!r}"
        for field in fields(weather)
        if getattr(weather, field.name) != field.default
    )
    return f"weather {values}".strip()


def _told(name: str, event: Event) -> str:
    """Return the command for an event; a comment where scenarios have none."""
    match event:
        case Stopping(at_once):
            return f"stop-at-once {name}" if at_once else f"stop {name}"
        case MoveAsked(to):
            return f"move {name}" + (f" {to}" if to is not None else "")
        case Resumed():
            return f"resume {name}"
        case YieldAsked(seconds, to):
            return f"yield {name} {seconds!r}" + (f" {to}" if to is not None else "")
        case _:
            return f"# {name}: {event}"


def _arrows(pairs: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{one}>{other}" for one, other in sorted(pairs))


def _farm(
    electorate: Electorate,
    clocks: dict[str, Clock],
    preferred: str | None,
    spy: Spy | None,
    nature: int,
) -> str:
    others = [name for name in electorate.voters if name not in electorate.candidates]
    words = [f"farm lease={electorate.lease_s!r} candidates={','.join(electorate.candidates)}"]
    if others:
        words.append(f"others={','.join(others)}")
    if preferred is not None:
        words.append(f"preferred={preferred}")
    if spy is not None:
        words.append(f"spy={spy.share!r}")
    shown = ",".join(f"{clocks[name].rate!r}@{clocks[name].offset_s!r}" for name in clocks)
    words += [f"clocks={shown}", f"nature={nature}"]
    return " ".join(words)
