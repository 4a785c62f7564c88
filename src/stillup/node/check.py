"""The engines' own checkers, run before anything goes live, and the wait for health after."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from stillup.errors import ServerFailed
from stillup.node import view
from stillup.node.bundle import Check, Command, Health
from stillup.node.compare import Touched
from stillup.node.said import first_lines
from stillup.node.world import Ran, World

CHECK_S = 60.0
COMMAND_S = 300.0
TRY_S = 10.0
PAUSE_FIRST_S = 0.05
PAUSE_LONGEST_S = 0.5


def concerns(check: Check, touched: Touched) -> bool:
    """Tell whether one of the check's paths, or what is below it, is touched."""
    below = (path if path.endswith("/") else f"{path}/" for path in check.paths)
    return touched.hits([*check.paths, *below])


def run_check(world: World, check: Check, moves: Mapping[str, bool]) -> Ran:
    """Run an engine's checker on a view in which ``moves`` have happened (see ``view``).

    Raises:
        ServerFailed: If the view cannot be made; nothing is ever checked without it.
    """
    argv = [sys.executable, "-I", str(Path(view.__file__)), *check.argv]
    ran = world.run(argv, stdin=json.dumps(dict(moves)).encode(), within_s=CHECK_S)
    if ran.code == view.NO_VIEW:
        raise ServerFailed(f"the check {check.name} could not run: {first_lines(ran)}")
    return ran


def wait_for(world: World, health: Health) -> Ran:
    """Ask until the answer is yes or the time is up; return the last answer.

    Engines tell of their health in too many ways for one event; the pause between two
    questions starts short, as most are healthy at once, and grows.
    """
    end = world.now_s() + health.within_s
    pause = PAUSE_FIRST_S
    while True:
        left = end - world.now_s()
        ran = world.run(health.argv, within_s=max(0.1, min(TRY_S, left)))
        if ran.code == 0 or world.now_s() + pause >= end:
            return ran
        world.pause(pause)
        pause = min(pause * 2, PAUSE_LONGEST_S)


def run_command(world: World, command: Command) -> Ran:
    """Run a command, and again while it fails and its time is not up; return the last answer."""
    end = world.now_s() + command.within_s
    while True:
        ran = world.run(command.argv, stdin=command.stdin.encode(), within_s=COMMAND_S)
        if ran.code == 0 or world.now_s() + PAUSE_LONGEST_S >= end:
            return ran
        world.pause(PAUSE_LONGEST_S)
