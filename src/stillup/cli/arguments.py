"""The parsers of the command line, and the options that every command takes."""

import argparse
from pathlib import Path
from typing import NoReturn, Protocol

from stillup.errors import InputRefused
from stillup.model.problems import printable


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` that refuses arguments in the form of every other error."""

    def error(self, message: str) -> NoReturn:
        """Refuse them.

        Raises:
            InputRefused: Always.
        """
        raise InputRefused(f"{printable(message)}; see `{self.prog} --help`")


class CommandParser(Parser):
    """A parser that takes the global options too, so that they may stand behind the command.

    Their default is to be absent: what stood before the command is then left as it was.
    Parsers made with ``add_subparsers`` below a command are of this class as well.
    """

    def __init__(
        self,
        *,
        prog: str | None = None,
        usage: str | None = None,
        description: str | None = None,
        epilog: str | None = None,
    ) -> None:
        """Make a parser that keeps the line breaks of its texts."""
        super().__init__(
            prog=prog,
            usage=usage,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        add_global_options(self, absent=True)


def add_global_options(parser: argparse.ArgumentParser, *, absent: bool) -> None:
    """Add ``-f``, ``--lab`` and ``--json``; with ``absent`` they leave no trace unless given."""

    def default(value: object) -> object:
        return argparse.SUPPRESS if absent else value

    options = parser.add_argument_group("for every command")
    options.add_argument(
        "-f",
        "--file",
        type=Path,
        metavar="FILE",
        default=default(Path("farm.toml")),
        help="the farm file [farm.toml]",
    )
    options.add_argument(
        "--lab",
        action="store_true",
        default=default(value=False),
        help="speak to the farm's lab on this machine, not to the real servers",
    )
    options.add_argument(
        "--json",
        action="store_true",
        default=default(value=False),
        help="tell it as JSON, where there is something to tell",
    )


class Subparsers(Protocol):
    """What a command's module adds its parser to."""

    def add_parser(
        self,
        name: str,
        *,
        help: str | None = ...,  # noqa: A002 # argparse's own word
        description: str | None = ...,
        epilog: str | None = ...,
        usage: str | None = ...,
    ) -> CommandParser:
        """Add a command and return its parser."""
        ...
