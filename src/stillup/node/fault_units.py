"""The processes of systemd's units, by the kernel's own lists: who is there, gone or stopped."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stillup.errors import ServerFailed
from stillup.node.said import first_lines
from stillup.node.world import World, at

GROUPS = "/sys/fs/cgroup"
SOON_S = 2.0
LOOK_EVERY_S = 0.01


@dataclass(frozen=True, slots=True)
class Process:
    """A process; ``began`` tells it from a later one of the same number."""

    number: int
    began: str


@dataclass(frozen=True, slots=True)
class Running:
    """A unit that has processes."""

    name: str
    group: str
    processes: tuple[Process, ...]


def running(world: World, patterns: Sequence[str]) -> list[Running]:
    """Return the units of these names or patterns that have processes.

    Raises:
        ServerFailed: If none has, or systemd does not say.
    """
    ran = world.run(["systemctl", "show", "--property=Id,ControlGroup", "--", *patterns])
    if ran.code or not patterns:
        raise ServerFailed(f"systemd does not say which units there are: {first_lines(ran)}")
    found: dict[str, Running] = {}
    for block in ran.out.decode(errors="replace").split("\n\n"):
        unit = dict(line.partition("=")[::2] for line in block.splitlines())
        name, group = unit.get("Id", ""), unit.get("ControlGroup", "")
        if name and group and (processes := tuple(_processes(world, group))):
            found[name] = Running(name, group, processes)
    if not found:
        raise ServerFailed(f"nothing of {', '.join(patterns)} runs on this server")
    return list(found.values())


def _processes(world: World, group: str) -> Iterator[Process]:
    for folder, _, _ in os.walk(at(world, f"{GROUPS}{group}")):
        with contextlib.suppress(OSError):
            for word in (Path(folder) / "cgroup.procs").read_text().split():
                if fields := _stat(world, int(word)):
                    yield Process(int(word), fields[19])


def _stat(world: World, number: int) -> list[str]:
    """Return proc(5)'s fields of a process from its state on; none when it is gone."""
    try:
        text = at(world, f"/proc/{number}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _state(world: World, process: Process) -> str:
    """Return a process's state as proc(5) has it; "" when it is gone."""
    fields = _stat(world, process.number)
    return fields[0] if fields and fields[19] == process.began else ""


def are_gone(world: World, found: Iterable[Running]) -> bool:
    """Wait until every process is gone, a short while at most, and say whether they are."""
    return _soon(world, found, frozenset({"", "Z", "X"}))


def are_stopped(world: World, found: Iterable[Running]) -> bool:
    """Wait until every process is stopped or gone, a short while at most; say whether they are."""
    return _soon(world, found, frozenset({"T", "t", "", "Z", "X"}))


def _soon(world: World, found: Iterable[Running], wanted: frozenset[str]) -> bool:
    processes = [process for unit in found for process in unit.processes]
    ends_s = world.now_s() + SOON_S
    while not all(_state(world, process) in wanted for process in processes):
        if world.now_s() > ends_s:
            return False
        world.pause(LOOK_EVERY_S)
    return True


def io_limited(world: World, unit: Running) -> bool:
    """Say whether the kernel bounds what a unit reads and writes a second."""
    return bool(at(world, f"{GROUPS}{unit.group}/io.max").read_text().strip())
