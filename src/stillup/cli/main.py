"""The command ``stillup``: finds the command's module, runs it, turns errors into exit codes.

A command module has ``add(subparsers)``, which adds its parser, and ``run(arguments) -> int``,
which does the work and returns the exit code. Only the module of the command that was asked
for is imported, so that ``stillup check`` does not wait for what ``stillup apply`` needs.

Exit codes: 0 done, 1 the world said no, 2 the farm file or the arguments are wrong, 3 a
promise was broken; 130 stopped by Ctrl-C, 141 nobody reads the output any more.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from stillup import __version__
from stillup.cli.arguments import CommandParser, Parser, Subparsers, add_global_options
from stillup.errors import EXIT_INPUT, EXIT_WORLD, InputRefused, StillupError
from stillup.model.problems import nearest, printable

_EXIT_STOPPED = 130
_EXIT_NO_READER = 141

_DESCRIPTION = """\
Runs a web farm that stays up when any one of its servers dies, and shows that it does.
One file, farm.toml, says what the farm is."""

_EPILOG = """\
to begin:
  stillup init                   write a farm.toml to start from
  stillup check                  read what is wrong with it and what it does not survive
  stillup lab up                 run the farm on this machine
  stillup apply                  bring the real servers to what the file says

`stillup COMMAND --help` says more of a command.
exit codes: 0 done, 1 the world said no, 2 the farm file or the arguments are wrong,
            3 a promise was broken"""


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command lives and what it does, for the list in ``stillup --help``."""

    module: str
    summary: str
    tells_json: bool = False


COMMANDS = {
    "init": Command("init", "write a farm.toml to start from, and the farm's secrets"),
    "check": Command("check", "every problem and every single point of failure", tells_json=True),
    "render": Command("render", "each server's files as they would be installed"),
    "plan": Command("plan", "what apply would change", tells_json=True),
    "apply": Command("apply", "bring the servers to what the farm file says", tells_json=True),
    "status": Command("status", "serving, at risk or down, and why", tells_json=True),
    "failover": Command("failover", "move the virtual IP, losing nothing", tells_json=True),
    "drain": Command("drain", "take a web server out of use, losing nothing", tells_json=True),
    "undrain": Command("drain", "put a web server back into use", tells_json=True),
    "release": Command("release", "bring the site to every web server at once", tells_json=True),
    "backup": Command("backup", "a backup now; list, verify, timer", tells_json=True),
    "restore": Command("restore", "put a backup back", tells_json=True),
    "heartbeat": Command(
        "heartbeat", "hold a virtual IP without a farm: the daemon alone", tells_json=True
    ),
    "secrets": Command("secrets", "make a secret anew without a gap", tells_json=True),
    "simulate": Command(
        "simulate", "the heartbeat against faults, in virtual time", tells_json=True
    ),
    "drill": Command("drill", "real faults on the farm, and what they cost", tells_json=True),
    "lab": Command("lab", "the farm's servers as machines on this one", tells_json=True),
}


class _Module(Protocol):
    """What a command's module has."""

    def add(self, subparsers: Subparsers) -> None:
        """Add the command's parser."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; return the exit code."""


def run(argv: Sequence[str] | None = None) -> int:
    """Run ``stillup`` with these arguments (the process's by default); return its exit code."""
    _say_anything()
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        print("stillup: stopped", file=sys.stderr)
        return _EXIT_STOPPED
    except BrokenPipeError:
        # What is still buffered would fail again when Python closes stdout on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _EXIT_NO_READER
    except StillupError as error:
        print(f"stillup: {error}", file=sys.stderr)
        return error.exit_code
    except BaseExceptionGroup as group:
        failures = list(_failures(group))
        for failure in failures:
            print(f"stillup: {failure}", file=sys.stderr)
        return max((failure.exit_code for failure in failures), default=EXIT_WORLD)


def _say_anything() -> None:
    """Let output in a narrow encoding (``LC_ALL=C``) show escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")


def _failures(group: BaseExceptionGroup[BaseException]) -> Iterator[StillupError]:
    """Yield the foreseen failures of several tasks; anything else in the group is a bug."""
    foreseen, others = group.split(StillupError)
    if others is not None:
        raise others
    assert foreseen is not None
    for error in foreseen.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _failures(error)
        else:
            yield error


def _run(argv: list[str]) -> int:
    name = _command_asked_for(argv)
    parser, module = _whole_parser(name)
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as asked:
        # Only --help and --version end this way; mistakes raise InputRefused.
        return int(asked.code or 0)
    if name is None or module is None:
        parser.print_help()
        return EXIT_INPUT
    if arguments.json and not COMMANDS[name].tells_json:
        raise InputRefused(f"`stillup {name}` has nothing to tell as JSON; leave out --json")
    code = module.run(arguments)
    sys.stdout.flush()
    return code


def _command_asked_for(argv: list[str]) -> str | None:
    """Return the first word that is no option or option's value; None when there is none.

    Raises:
        InputRefused: If it is no command.
    """
    words = iter(argv)
    for word in words:
        if word in {"-f", "--file"}:
            next(words, None)
        elif not word.startswith("-"):
            if word not in COMMANDS:
                raise InputRefused(_no_command(word))
            return word
    return None


def _no_command(word: str) -> str:
    meant = nearest(word, COMMANDS)
    hint = f"did you mean `stillup {meant}`?" if meant else "see `stillup --help`"
    return f"there is no command {printable(word)}; {hint}"


def _whole_parser(wanted: str | None) -> tuple[argparse.ArgumentParser, _Module | None]:
    """Return the parser with the wanted command whole and the others as names, and its module."""
    parser = Parser(
        prog="stillup",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"stillup {__version__}")
    add_global_options(parser, absent=False)
    subparsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", parser_class=CommandParser
    )
    home = COMMANDS[wanted].module if wanted else None
    for name, command in COMMANDS.items():
        if command.module != home:
            subparsers.add_parser(name, help=command.summary)
    if home is None:
        return parser, None
    module = cast("_Module", import_module(f"stillup.cli.{home}"))
    module.add(subparsers)
    return parser, module
