"""Scenarios as text: commands, and under each what the farm did then.

A file is paragraphs of a command line, then ``----``, then what came of it, a line an effect;
lines that begin with ``#`` explain. ``play`` reads the commands and returns the whole text
with what really came of them, so a test compares and ``REWRITE=1`` rewrites.

| command                                   | what it does                                   |
|-------------------------------------------|------------------------------------------------|
| ``farm lease=0.5 candidates=a,b others=c,d [preferred=a] [slow=a] [fast=b]`` | comes first |
| ``start NAME...`` or ``start all``        | starts daemons (and machines without power)    |
| ``run SECONDS``                           | lets time pass                                 |
| ``kill``, ``power-off``, ``freeze``, ``thaw``, ``stop``, ``resume`` NAME... | as they say |
| ``sick``, ``well`` NAME                   | its HAProxy dies, answers again                |
| ``yield NAME SECONDS``                    | asks it to let go                              |
| ``cut A B``, ``deafen A B``               | both ways; A no longer hears B                 |
| ``isolate NAME``, ``heal``                | cuts all its links; mends all links            |
| ``lose PERCENT``                          | that share of all datagrams is lost            |
| ``status NAME``                           | what that node knows                           |
"""

from collections.abc import Callable

from stillup.heartbeat.events import (
    Arm,
    Changed,
    Effect,
    Forward,
    Give,
    Hold,
    LetGo,
    NotGiven,
    Resumed,
    Send,
    Stopped,
    Stopping,
    YieldAsked,
)
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.simulator.luck import Luck
from stillup.heartbeat.simulator.machine import Clock
from stillup.heartbeat.simulator.network import Weather
from stillup.heartbeat.simulator.world import World

DELAY_S = 0.0003
RULE = "----"


def play(text: str, luck: Luck) -> str:
    """Return the scenario with what came of each command.

    Args:
        text: The scenario; what stands under ``----`` in it is not read.
        luck: Decides what chance decides; give each scenario the same.

    Raises:
        ValueError: If a command is not known, or none is ``farm`` before it is needed.
    """
    paragraphs = [_paragraph(block) for block in text.strip().split("\n\n")]
    stage: Stage | None = None
    told: list[str] = []
    for comments, command in paragraphs:
        output: list[str] = []
        if command:
            word, *arguments = command.split()
            if word == "farm":
                stage = Stage(_farm(arguments, luck))
            elif stage is None:
                raise ValueError(f"{word}: there is no farm yet")
            else:
                output = stage.do(word, arguments)
        told.append("\n".join([*comments, *([command, RULE] if command else []), *output]))
    return "\n\n".join(told) + "\n"


class Stage:
    """A farm that takes commands and writes down what its servers do.

    Args:
        world: The farm.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._lines: list[str] = []
        self._gaps = 0
        world.watch = self._note
        on_each: dict[str, Callable[[str], None]] = {
            "start": world.start,
            "kill": world.kill,
            "power-off": world.power_off,
            "freeze": world.freeze,
            "thaw": world.thaw,
            "stop": lambda name: world.tell(name, Stopping()),
            "resume": lambda name: world.tell(name, Resumed()),
            "sick": lambda name: world.set_health(name, healthy=False),
            "well": lambda name: world.set_health(name, healthy=True),
            "isolate": self._isolate,
            "status": self._status,
        }
        self._on_each = on_each

    def do(self, word: str, arguments: list[str]) -> list[str]:
        """Carry out a command and return what the servers did, a line each."""
        world = self._world
        self._lines = []
        if word in self._on_each:
            names = list(world.machines) if arguments == ["all"] else arguments
            for name in names:
                self._on_each[word](name)
        else:
            self._do_else(word, arguments)
        return self._lines

    def _do_else(self, word: str, arguments: list[str]) -> None:
        world = self._world
        match word, arguments:
            case "run", [seconds]:
                world.run_until(world.now_s + float(seconds))
                if world.gap_s() > 0:
                    self._lines.append(
                        f"{world.now_s:8.4f} nobody has answered for {_ms(world.gap_s())}"
                    )
            case "yield", [name, seconds]:
                world.tell(name, YieldAsked(float(seconds)))
            case "cut", [one, other]:
                world.network.cut.update({(one, other), (other, one)})
            case "deafen", [deaf, speaker]:
                world.network.cut.add((speaker, deaf))
            case "heal", []:
                world.network.cut.clear()
            case "lose", [percent]:
                world.network.weather = Weather(float(percent) / 100, 0, 0, DELAY_S, 1e-6)
            case _:
                raise ValueError(f"{word} {' '.join(arguments)}: no such command")

    def _isolate(self, name: str) -> None:
        others = [other for other in self._world.machines if other != name]
        for other in others:
            self._world.network.cut.update({(name, other), (other, name)})

    def _status(self, name: str) -> None:
        machine = self._world.machines[name]
        if machine.node is None:
            self._lines.append(f"{name} is not running")
            return
        status = machine.node.status(machine.clock.read(self._world.now_s))
        votes = f" by the votes of {', '.join(status.votes)}" if status.votes else ""
        health = "healthy" if status.healthy else "not healthy"
        self._lines.append(f"{name} is {status.phase}, {health}; holder {status.holder}{votes}")

    def _note(self, at_s: float, name: str, effect: Effect) -> None:
        match effect:
            case Hold(_, gained, ballot):
                if gained:
                    self._lines.append(
                        f"{at_s:8.4f} {name} holds it by ballot {ballot}{self._gap()}"
                    )
            case LetGo(reason):
                self._lines.append(f"{at_s:8.4f} {name} lets go: {reason}")
            case Give(to, _, reason):
                self._lines.append(f"{at_s:8.4f} {name} gives it to {to}: {reason}")
            case NotGiven(to, reason):
                whom = f" not given to {to}" if to else "no move"
                self._lines.append(f"{at_s:8.4f} {name}: {whom.strip()}: {reason}")
            case Changed() | Send() | Arm() | Forward() | Stopped():
                pass

    def _gap(self) -> str:
        gaps = self._world.gaps
        if len(gaps) == self._gaps:
            return ""
        self._gaps = len(gaps)
        return f"; nobody had answered for {_ms(gaps[-1].to_s - gaps[-1].from_s)}"


def _paragraph(block: str) -> tuple[list[str], str]:
    """Return a paragraph's comments and its command; the command is empty if it has none."""
    lines = block.split(f"\n{RULE}", maxsplit=1)[0].splitlines()
    comments = [line for line in lines if line.startswith("#")]
    commands = [line for line in lines if not line.startswith("#")]
    return comments, commands[0] if commands else ""


def _farm(arguments: list[str], luck: Luck) -> World:
    given = dict(argument.split("=", 1) for argument in arguments)
    candidates = tuple(given["candidates"].split(","))
    others = tuple(name for name in given.get("others", "").split(",") if name)
    electorate = Electorate(candidates + others, candidates, float(given["lease"]))
    rates = {given.get("slow"): 0.99, given.get("fast"): 1.01}
    clocks = {
        name: Clock(rates.get(name, 1.0), 1000.0 * number)
        for number, name in enumerate(electorate.voters)
    }
    world = World(electorate, clocks, luck, preferred=given.get("preferred"))
    world.network.weather = Weather(delay_s=DELAY_S, jitter_s=1e-6)
    return world


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
