"""Scenarios as text: commands, and under each what the farm did then.

A file is paragraphs: command lines, then ``----``, then what came of them, a line an effect;
lines that begin with ``#`` explain. ``play`` reads the commands and returns the whole text
with what really came of them, so a test compares and ``REWRITE=1`` rewrites.

| command                                   | what it does                                   |
|-------------------------------------------|------------------------------------------------|
| ``farm lease=0.5 candidates=a,b others=c,d [preferred=a] [slow=a] [fast=b] [witness=w]`` | comes first |
| ``start NAME...`` or ``start all``        | starts daemons (and machines without power)    |
| ``run SECONDS``, ``until INSTANT``        | lets time pass, so long or until then          |
| ``kill``, ``power-off``, ``freeze``, ``thaw``, ``stop``, ``resume`` NAME... | as they say |
| ``freeze NAME after N``                   | stops it after N of the next things it does    |
| ``stop-at-once NAME``                     | stops it without a hand-over                   |
| ``sick``, ``well`` NAME                   | its HAProxy dies, answers again                |
| ``yield NAME SECONDS [TO]``               | asks it to let go                              |
| ``move NAME [TO]``                        | asks it to hand over now, to TO or to any      |
| ``declare NAME DEAD...``                  | a person declares servers dead at NAME         |
| ``cut A B``, ``deafen A B``               | both ways; A no longer hears B                 |
| ``sever A>B...``, ``mend A>B...``         | cuts, mends what A says to B                   |
| ``isolate NAME``, ``heal``                | cuts all its links; mends all links            |
| ``lose PERCENT``                          | that share of all datagrams is lost            |
| ``weather [loss=] [double=] [straggle=] [delay_s=] [jitter_s=] [straggle_s=]`` | see ``network.py`` |
| ``late SECONDS``                          | every timer fires up to so much too late       |
| ``status NAME``                           | what that node knows                           |
| ``answered [NAME]``                       | somebody must answer now, if anybody could; or |
|                                           | this one, if it was the last to be moved to    |
| ``steady INSTANT SECONDS``                | since then nobody was missing for longer       |

What ``recorder.py`` writes names the seed of the network's chance (``nature=``), each server's
clock (``clocks=RATE@OFFSET,...``) and whether somebody replays datagrams (``spy=SHARE``) too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from stillup.heartbeat.core import Node
from stillup.heartbeat.events import (
    Arm,
    AskWitness,
    Changed,
    DeclaredDead,
    Effect,
    Forward,
    Give,
    Hold,
    LetGo,
    MoveAsked,
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
from stillup.heartbeat.simulator.spy import Spy
from stillup.heartbeat.simulator.world import (
    Build,
    Deserted,
    Spinning,
    TwoHolders,
    World,
)

DELAY_S = 0.0003
RULE = "----"


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a scenario.

    Args:
        text: The scenario, up to a violation if there is one.
        violation: What was broken, ``TwoHolders`` for instance; None if all is well.
        story: What happened last before the violation, event by event; empty if all is well.
    """

    text: str
    violation: str | None = None
    story: str = ""


def play(text: str, luck: Luck) -> str:
    """Return the scenario with what came of each command.

    Args:
        text: The scenario; what stands under ``----`` in it is not read.
        luck: Decides what chance decides, unless the scenario names a seed; give each scenario
            the same.

    Raises:
        TwoHolders, Deserted, Spinning: If the farm breaks what it must never break.
        ValueError: If a command is not known, or none is ``farm`` before it is needed.
    """
    return "\n\n".join(_told(text, luck, Node)) + "\n"


def perform(text: str, luck: Luck, build: Build = Node) -> Played:
    """Play a scenario that may break what must never break; return what came of it.

    Args:
        text: The scenario.
        luck: As for ``play``.
        build: Makes a node.

    Raises:
        ValueError: If a command is not known or wrong, or none is ``farm`` before it is needed.
    """
    told: list[str] = []
    try:
        for paragraph in _told(text, luck, build):
            told.append(paragraph)  # noqa: PERF402 - what came before a violation is kept
    except (TwoHolders, Deserted, Spinning) as error:
        return Played("\n\n".join(told) + "\n", type(error).__name__, str(error))
    return Played("\n\n".join(told) + "\n")


def _told(text: str, luck: Luck, build: Build) -> Iterator[str]:
    """Yield each paragraph; one in which something breaks comes before the exception."""
    stage: Stage | None = None
    for block in text.strip().split("\n\n"):
        comments, commands = _paragraph(block)
        told = [*comments, *commands, *([RULE] if commands else [])]
        try:
            for command in commands:
                word, *arguments = command.split()
                if word == "farm":
                    stage = Stage(_farm(arguments, luck, build))
                elif stage is None:
                    raise ValueError(f"{word}: there is no farm yet")
                else:
                    stage.do(word, arguments)
        except (TwoHolders, Deserted, Spinning) as error:
            last = str(error).splitlines()[-1].split(maxsplit=1)
            told += [*(stage.take() if stage else []), f"{float(last[0]):8.4f} BROKEN: {last[1]}"]
            yield "\n".join(told)
            raise
        yield "\n".join([*told, *(stage.take() if stage else [])])


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
        on_pairs: dict[str, Callable[[list[tuple[str, str]]], None]] = {
            "sever": world.network.cut.update,
            "mend": world.network.cut.difference_update,
        }
        self._on_pairs = on_pairs

    def do(self, word: str, arguments: list[str]) -> None:
        """Carry out a command.

        Raises:
            ValueError: If there is no such command, or no such server.
        """
        try:
            if word in self._on_pairs:
                pairs = [(one, to) for one, _, to in (a.partition(">") for a in arguments)]
                self._on_pairs[word](pairs)
            elif word in self._on_each and "after" not in arguments:
                for name in list(self._world.machines) if arguments == ["all"] else arguments:
                    self._on_each[word](name)
            else:
                self._do_else(word, arguments)
        except KeyError as error:
            raise ValueError(f"{word} {' '.join(arguments)}: there is no server {error}") from None

    def take(self) -> list[str]:
        """Return what the servers did since the last time, a line each."""
        lines, self._lines = self._lines, []
        return lines

    def _do_else(self, word: str, arguments: list[str]) -> None:
        world = self._world
        match word, arguments:
            case "run", [seconds]:
                self._run_until(world.now_s + float(seconds))
            case "until", [instant]:
                self._run_until(float(instant))
            case "freeze", [name, "after", count]:
                world.freeze(name, after=int(count))
            case "yield", [name, seconds, *to] if len(to) < 2:
                world.tell(name, YieldAsked(float(seconds), *to))
            case "move", [name, *to] if len(to) < 2:
                world.tell(name, MoveAsked(*to))
            case "stop-at-once", [name]:
                world.tell(name, Stopping(at_once=True))
            case "late", [seconds]:
                world.late_s = float(seconds)
            case "answered", by if len(by) < 2:
                self._expect_holder(*by)
            case "steady", [instant, seconds]:
                world.expect_steady(float(instant), float(seconds))
            case _:
                self._do_to_the_farm(word, arguments)

    def _do_to_the_farm(self, word: str, arguments: list[str]) -> None:
        network = self._world.network
        match word, arguments:
            case "declare", [name, *dead]:
                self._world.tell(name, DeclaredDead(frozenset(dead)))
            case "cut", [one, other]:
                network.cut.update({(one, other), (other, one)})
            case "deafen", [deaf, speaker]:
                network.cut.add((speaker, deaf))
            case "heal", []:
                network.cut.clear()
            case "lose", [percent]:
                network.weather = Weather(float(percent) / 100, 0, 0, DELAY_S, 1e-6)
            case "weather", values:
                network.weather = _weather(values)
            case _:
                raise ValueError(f"{word} {' '.join(arguments)}: no such command")

    def _run_until(self, instant_s: float) -> None:
        self._world.run_until(instant_s)
        gap_s = self._world.gap_s()
        if gap_s > 0:
            self._lines.append(f"{instant_s:8.4f} nobody has answered for {_ms(gap_s)}")

    def _expect_holder(self, name: str | None = None) -> None:
        """Check who answers, unless what makes that due was left out to make a scenario shorter."""
        world = self._world
        if world.fit() if name is None else world.asked_to == name:
            world.expect_holder(name)

    def _isolate(self, name: str) -> None:
        everybody = (*self._world.machines, *self._world.electorate.witness_addresses.values())
        for other in (other for other in everybody if other != name):
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
            case Changed() | Send() | AskWitness() | Arm() | Forward() | Stopped():
                pass

    def _gap(self) -> str:
        gaps = self._world.kernels.gaps
        if len(gaps) == self._gaps:
            return ""
        self._gaps = len(gaps)
        return f"; nobody had answered for {_ms(gaps[-1].to_s - gaps[-1].from_s)}"


def _paragraph(block: str) -> tuple[list[str], list[str]]:
    """Return a paragraph's comments and its commands."""
    lines = block.split(f"\n{RULE}", maxsplit=1)[0].splitlines()
    comments = [line for line in lines if line.startswith("#")]
    return comments, [line for line in lines if not line.startswith("#")]


def _farm(arguments: list[str], luck: Luck, build: Build) -> World:
    given = dict(argument.partition("=")[::2] for argument in arguments)
    for key in ("lease", "candidates"):
        if key not in given:
            raise ValueError(f"farm: {key}= is missing")
    candidates = tuple(given["candidates"].split(","))
    others = tuple(name for name in given.get("others", "").split(",") if name)
    lease_s, witness = float(given["lease"]), given.get("witness")
    electorate = Electorate(candidates + others, candidates, lease_s, witness)
    nature = int(given["nature"]) if "nature" in given else None
    spy = Spy(float(given["spy"])) if "spy" in given else None
    clocks = _clocks(given, electorate.voters)
    world = World(electorate, clocks, luck, build, given.get("preferred"), spy, nature)
    if nature is None:
        world.network.weather = Weather(delay_s=DELAY_S, jitter_s=1e-6)
    return world


def _clocks(given: dict[str, str], names: tuple[str, ...]) -> dict[str, Clock]:
    if "clocks" in given:
        pairs = [one.partition("@")[::2] for one in given["clocks"].split(",")]
        told = [Clock(float(rate), float(offset)) for rate, offset in pairs]
        return dict(zip(names, told, strict=True))
    rates = {given.get("slow"): 0.99, given.get("fast"): 1.01}
    return {name: Clock(rates.get(name, 1.0), 1000.0 * number) for number, name in enumerate(names)}


def _weather(values: list[str]) -> Weather:
    known = {field.name for field in fields(Weather)}
    given = dict(value.partition("=")[::2] for value in values)
    if unknown := sorted(set(given) - known):
        raise ValueError(f"weather: there is no {unknown[0]}; there are {', '.join(known)}")
    return Weather(**{key: float(value) for key, value in given.items()})


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
