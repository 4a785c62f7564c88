"""``python3 -m stillup.keeper database|check|state|ready|...``: the daemon, and commands beside it."""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from stillup.errors import EXIT_DONE, EXIT_WORLD, StillupError
from stillup.keeper import settings, systemd
from stillup.keeper.settings import SETTINGS

Command: TypeAlias = Callable[[argparse.Namespace], int]


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return COMMANDS[arguments.command](arguments)
    except StillupError as error:
        sys.stderr.write(f"stillup-keeper: {error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"stillup-keeper: {error}\n")
        return EXIT_WORLD


def database(arguments: argparse.Namespace) -> int:
    """Be the database keeper's daemon."""
    from stillup.keeper.data_folder import Marks
    from stillup.keeper.database import Keeper

    told = settings.load(arguments.config)
    Keeper(told, settings.load_key(told.key_file), Marks(), time.monotonic()).run()
    return EXIT_DONE


def check(arguments: argparse.Namespace) -> int:
    """Say whether the settings and the key are right; a problem is raised."""
    told = settings.load(arguments.config)
    settings.load_key(told.key_file)
    sys.stdout.write(f"{arguments.config}: the settings of {told.name} are right\n")
    return EXIT_DONE


def permit(_: argparse.Namespace) -> int:
    """Let MariaDB start as the keeper has said: for MariaDB's unit alone."""
    systemd.take_permit()
    return EXIT_DONE


def _commands() -> Mapping[str, Command]:
    from stillup.keeper import commands

    return {
        "database": database,
        "check": check,
        "permit": permit,
        "state": commands.state,
        "ready": commands.ready,
        "yield": commands.give_up,
        "take": commands.take,
        "restart": commands.restart,
        "leave": commands.leave,
        "birth": commands.birth,
        "born": commands.born,
        "bootstrap": commands.bootstrap,
    }


COMMANDS = _commands()
TEXTS = {
    "database": "be the daemon",
    "check": "say whether the settings and the key are right",
    "state": "print how this server and the others stand, as JSON",
    "ready": "wait until this server is an up-to-date member",
    "yield": "name another server the writer, if this one is it",
    "take": "name this server the writer",
    "restart": "take MariaDB's new settings into use, in order",
    "birth": "mark this server to found the database, once",
    "born": "exit with 0 if this server was ever a member",
    "bootstrap": "say what would be lost if this server's data became the farm's",
    "permit": "for mariadb.service alone",
    "leave": "for mariadb.service alone",
}
WITHIN_S = {"ready": 240.0, "yield": 30.0, "take": 30.0, "restart": 240.0}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stillup-keeper", description="Keeps the database alive on a database server."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in TEXTS.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", type=Path, default=SETTINGS, help=f"[{SETTINGS}]")
        if name in WITHIN_S:
            within_s = WITHIN_S[name]
            command.add_argument(
                "--within", type=float, metavar="S", default=within_s, help=f"[{within_s:.0f}]"
            )
        if name == "ready":
            command.add_argument(
                "--whole", action="store_true", help="wait for all database servers and the arbiter"
            )
        if name == "bootstrap":
            command.add_argument(
                "--force", action="store_true", help="do it, whatever silent servers hold"
            )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
