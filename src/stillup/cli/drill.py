"""``stillup drill``: real faults on the farm while users ask, and what they cost.

As JSON: ``docs/drill.schema.json``. Exit codes: 0 every promise was kept, 3 one was broken, 1 it could
not be told.
"""

import asyncio
import os
import platform
import shlex
import signal
import sys
import time
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stillup import __version__
from stillup.cli.arguments import Subparsers
from stillup.cli.context import access_for, load_farm, load_secrets
from stillup.cli.files import read_file
from stillup.cli.local_files import site_source
from stillup.errors import (
    EXIT_DONE,
    EXIT_PROMISE,
    EXIT_WORLD,
    ChangeRefused,
    InputRefused,
    StillupError,
)
from stillup.model.farm import Farm

if TYPE_CHECKING:
    from stillup.drill.fault import Fault
    from stillup.drill.power import Power
    from stillup.drill.programs import Wrap
    from stillup.drill.report.run import Run
    from stillup.drill.report.terminal import Screen
    from stillup.drill.run import Course
    from stillup.drill.stage import Stage

_DESCRIPTION = """\
Has users ask for pages, sessions, rows and files through the virtual IP, lets faults happen, one
after another, and says what each cost, by the promises of the farm file. Every fault undoes itself on
the server that it befalls, also when this command is killed. Without FAULT and --set the short set
is played. On real servers only what `[drills] allow` names is done, after a question."""
_MOST_BYTES = 1 << 28
_SHARE, _LAB_SHARE = 1.0, 0.3


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "drill",
        help="real faults on the farm, and what they cost",
        description=_DESCRIPTION,
        epilog='example: stillup --lab drill "power-off web1" "planned failover" --report page.html\n'
        "exit codes: 0 every promise was kept, 3 one was broken, 1 it could not be told",
    )
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="as --list names it, in quotes")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SET", help="a set of faults [short]"
    )
    parser.add_argument("--all", action="store_true", help="every fault: it takes hours")
    parser.add_argument("--list", action="store_true", help="tell what there is, and play nothing")
    parser.add_argument(
        "--report", type=Path, metavar="PAGE", help="write the report as HTML there"
    )
    parser.add_argument("--compare", type=Path, metavar="JSON", help="an earlier run, of --json")
    parser.add_argument(
        "--share",
        type=_share,
        metavar="SHARE",
        help="how much of the usual 530 requests a second [1.0; in the lab 0.3, as its servers\n"
        "share one machine with who asks]",
    )
    parser.add_argument("--anyway", action="store_true", help="even if the farm is not whole")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: Namespace) -> int:
    """Play them and tell what became of it."""
    farm = load_farm(arguments.file)
    from stillup.drill.choosing import chosen

    sets = [*arguments.set, *(["all"] if arguments.all else [])]
    if arguments.list:
        return _list(farm, arguments.faults, sets)
    faults = chosen(farm, arguments.faults, sets)
    if not arguments.lab:
        _require_allowed(farm, faults)
        _confirm(farm, faults, asks=not arguments.yes)
    earlier = _earlier(arguments.compare) if arguments.compare else None
    _require_writable(arguments.report)
    told = _played(arguments, farm, faults)
    _tell(arguments, told, earlier)
    return _exit_code(told)


def _list(farm: Farm, names: Sequence[str], sets: Sequence[str]) -> int:
    from stillup.drill.catalogue import SETS, in_set
    from stillup.drill.choosing import chosen
    from stillup.drill.expectation import expectation

    if not names and not sets:
        for name, text in SETS.items():
            count = len(in_set(farm, name))
            print(f"--set {name:10}  {count:4} faults: {text}")
    for fault in chosen(farm, names, sets or ([] if names else ["all"])):
        expected = expectation(farm, fault)
        need_not = "" if expected.survives else f"  (need not be survived: {expected.why})"
        print(f"{fault.name}{need_not}")
    return EXIT_DONE


def _require_allowed(farm: Farm, faults: Sequence["Fault"]) -> None:
    from stillup.drill.choosing import allowed

    may = allowed(farm)
    if refused := [fault.name for fault in faults if fault not in may]:
        more = f" and {len(refused) - 5} more" if len(refused) > 5 else ""
        raise InputRefused(
            f"the farm file does not allow these on its servers: {', '.join(refused[:5])}{more}; "
            "name them in [drills] allow, or play them in the lab: `stillup --lab drill`"
        )


def _confirm(farm: Farm, faults: Sequence["Fault"], *, asks: bool) -> None:
    if not asks:
        return
    print(f"To the real servers of {farm.name}, one after another:", file=sys.stderr)
    for fault in faults:
        print(f"  {fault.name}", file=sys.stderr)
    if not sys.stdin.isatty():
        raise InputRefused("nobody can be asked here; --yes says that it shall be done")
    print("Type yes to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != "yes":
        raise ChangeRefused("nothing was done")


def _earlier(path: Path) -> "Run":
    from stillup.drill.report.document import read

    try:
        return read(read_file(path, _MOST_BYTES).decode("utf-8", "replace"), str(path))
    except FileNotFoundError:
        raise InputRefused(f"{path} does not exist; --compare takes what --json wrote") from None


def _require_writable(report: Path | None) -> None:
    """Refuse now what would fail only when all has been played."""
    if report is not None and not os.access(report.parent, os.W_OK):
        raise InputRefused(f"--report: {report.parent} is no folder that can be written to")


def _played(arguments: Namespace, farm: Farm, faults: Sequence["Fault"]) -> "Run":
    """Play all of them; what a signal stops is told as far as it came."""
    from rich.console import Console

    from stillup.drill.report.terminal import Screen
    from stillup.drill.run import Course

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    began, began_s = datetime.now(UTC), time.monotonic()
    course = Course()
    with Screen(console, len(faults), time.monotonic, alive=console.is_terminal) as screen:
        stage = _stage(arguments, farm, screen)
        asyncio.run(_playing(stage, faults, screen, course, anyway=arguments.anyway))
    return _run(arguments, farm, faults, course, began.isoformat(timespec="seconds"), began_s)


async def _playing(
    stage: "Stage", faults: Sequence["Fault"], screen: "Screen", course: "Course", *, anyway: bool
) -> None:
    from stillup.drill.run import run as play

    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def hear() -> None:
        screen.say("stopping, and healing what was done; again to stop at once")
        course.stopped = "it was stopped by hand"
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, hear)
    try:
        await play(stage, faults, screen, course, anyway=anyway)
    except asyncio.CancelledError:
        if not course.played:
            raise KeyboardInterrupt from None
    except StillupError as error:
        # What was played before has its worth all the same.
        if not course.played:
            raise
        course.stopped = str(error)


def _stage(arguments: Namespace, farm: Farm, screen: "Screen") -> "Stage":
    from stillup.drill.stage import Stage

    power, as_user = _world(arguments, farm)
    return Stage(
        farm,
        load_secrets(farm, arguments.file),
        site_source(farm, arguments.file),
        access_for(arguments, farm),
        power,
        as_user,
        screen.phase,
        _share_of(arguments),
    )


def _world(arguments: Namespace, farm: Farm) -> "tuple[Power | None, Wrap]":
    """Return who pulls plugs and cables, and how a program runs where a user would be."""
    from stillup.drill.programs import as_it_is

    if not arguments.lab:
        return None, as_it_is
    from stillup.lab.lab import Lab
    from stillup.lab.plugs import Plugs
    from stillup.lab.shell import client_command

    lab = Lab(farm, arguments.file)
    return Plugs(lab), lambda words: client_command(lab.home, words)


def _run(
    arguments: Namespace,
    farm: Farm,
    faults: Sequence["Fault"],
    course: "Course",
    began: str,
    began_s: float,
) -> "Run":
    from stillup.drill.choosing import not_tested
    from stillup.drill.report.run import Run, Taking, Untested
    from stillup.drill.workload.of_farm import settings_for

    names = {played.name for played in course.played}
    left = [Untested(fault.name, course.stopped) for fault in faults if fault.name not in names]
    loads = settings_for(farm, "", share=_share_of(arguments)).loads
    return Run(
        farm=farm.name,
        began=began,
        lasted_s=time.monotonic() - began_s,
        command=shlex.join(["stillup", *sys.argv[1:]]),
        version=__version__,
        where="lab" if arguments.lab else "servers",
        machine=_machine(),
        servers=tuple(
            Taking(server.name, tuple(sorted(map(str, server.roles)))) for server in farm.servers
        ),
        promises=farm.promises,
        rates={str(kind): load.per_s for kind, load in loads.items()},
        played=tuple(course.played),
        not_tested=(*left, *not_tested(farm, faults, lab=arguments.lab)),
        stopped=course.stopped,
    )


def _machine() -> str:
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (
        f"{os.cpu_count()} processors, {memory_bytes / 2**30:.0f} GB of memory, "
        f"{platform.system()} {platform.release()}"
    )


def _tell(arguments: Namespace, told: "Run", earlier: "Run | None") -> None:
    from rich.console import Console

    from stillup.drill.report.compare import changes
    from stillup.drill.report.document import written
    from stillup.drill.report.terminal import page as text

    changed = changes(earlier, told) if earlier is not None else ()
    if arguments.report is not None:
        from stillup.drill.report.page import page

        arguments.report.write_text(page(told, changed, earlier), encoding="utf-8")
    if arguments.json:
        sys.stdout.write(written(told))
        return
    Console(highlight=False, markup=False, emoji=False).print(text(told, changed, earlier))


def _exit_code(told: "Run") -> int:
    from stillup.drill.verdict import Word

    return {Word.KEPT: EXIT_DONE, Word.BROKEN: EXIT_PROMISE, Word.UNKNOWN: EXIT_WORLD}[told.word]


def _share_of(arguments: Namespace) -> float:
    """Return the pace; in the lab the servers share this machine with who asks."""
    given: float | None = arguments.share
    return given or (_LAB_SHARE if arguments.lab else _SHARE)


def _share(word: str) -> float:
    try:
        share = float(word)
    except ValueError:
        share = 0.0
    if not 0.01 <= share <= 20:
        raise ArgumentTypeError(f"{word!r} is not a number from 0.01 to 20")
    return share
