"""``stillup status``: serving, at risk or down, and why; ``--watch`` goes on looking.

The exit code is 0 when the farm is serving and nothing is at risk, else 1, so that a cron
job or a monitoring tool can ask. As JSON: ``docs/status.md``; with ``--watch`` one object a
line. A watch ends by Ctrl-C, with the exit code of its last look.
"""

import asyncio
import json
import os
import sys
from argparse import ArgumentTypeError, Namespace
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stillup.cli.arguments import Subparsers
from stillup.cli.backup_made import backups
from stillup.cli.context import access_for, kept_secrets, load_farm
from stillup.cli.secrets_file import secrets_path
from stillup.errors import EXIT_DONE, EXIT_WORLD

if TYPE_CHECKING:
    from stillup.cli.status_view import Screen
    from stillup.model.farm import Farm
    from stillup.servers.connection import Access
    from stillup.status.collect import Wanted
    from stillup.status.observed import Backups, Observed
    from stillup.status.verdict import Verdict

_EVERY_S = 2.0
_SHORTEST_S = 0.2


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "status",
        help="serving, at risk or down, and why",
        description="Asks every server how it is, and makes real requests through the virtual IP.\n"
        "Changes nothing.",
        epilog="exit codes: 0 serving, 1 at risk or down, 2 the farm file or the arguments are wrong",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--watch",
        nargs="?",
        type=_seconds,
        const=_EVERY_S,
        metavar="SECONDS",
        help=f"look again every so many seconds [{_EVERY_S:g}], until Ctrl-C",
    )
    how.add_argument(
        "--wait",
        type=_seconds,
        metavar="SECONDS",
        help="if the farm is not serving with everything redundant, wait so long until it is",
    )


def run(arguments: Namespace) -> int:
    """Tell how the farm stands."""
    farm = load_farm(arguments.file)
    access = access_for(arguments, farm)
    # The lab's data are kept by nobody.
    made = None if arguments.lab else backups(farm, arguments.file)
    teller = _Teller(farm, made, as_json=arguments.json)
    wanted = _wanted(farm, arguments.file)
    if arguments.wait is not None:
        asyncio.run(_wait(farm, access, arguments.wait, teller))
    elif arguments.watch is None:
        asyncio.run(_once(farm, access, teller, wanted))
    else:
        try:
            asyncio.run(_watch(farm, access, arguments.watch, teller, wanted))
        except KeyboardInterrupt:
            if not teller.told:
                raise
    return teller.exit_code


async def _once(farm: "Farm", access: "Access", teller: "_Teller", wanted: "Wanted | None") -> None:
    from stillup.status.collect import collect

    teller.tell(await collect(farm, access, wanted=wanted))


async def _watch(
    farm: "Farm", access: "Access", every_s: float, teller: "_Teller", wanted: "Wanted | None"
) -> None:
    from stillup.status.collect import watch

    with teller.watching():
        async with aclosing(watch(farm, access, every_s=every_s, wanted=wanted)) as looks:
            async for observed in looks:
                teller.tell(observed)


async def _wait(farm: "Farm", access: "Access", wait_s: float, teller: "_Teller") -> None:
    """Look until the farm serves or the time is over, and tell the last look only."""
    from stillup.status.collect import watch
    from stillup.status.judge import judge
    from stillup.status.verdict import Level

    until_s = asyncio.get_running_loop().time() + wait_s
    async with aclosing(watch(farm, access, every_s=_SHORTEST_S)) as looks:
        async for observed in looks:
            serving = judge(farm, observed).level is Level.SERVING
            if serving or asyncio.get_running_loop().time() >= until_s:
                teller.tell(observed)
                return


def _wanted(farm: "Farm", path: Path) -> "Wanted | None":
    """Return what each server should have; None where there are no secrets, or not for us.

    Looking makes no secrets, and somebody who may not read them may still look.
    """
    if not os.access(secrets_path(path), os.R_OK):
        return None
    secrets = kept_secrets(farm, path)
    if secrets is None:
        return None
    from stillup.node.codec import fingerprint
    from stillup.parts.bundle import wanted
    from stillup.servers.code import server_code

    code = server_code()
    return lambda server, facts: fingerprint(wanted(farm, server, secrets, facts, code))


class _Teller:
    """Judges looks and tells them: as JSON, on a live screen, or as plain text."""

    def __init__(self, farm: "Farm", made: "Backups | None", *, as_json: bool) -> None:
        self._farm = farm
        self._made = made
        self._as_json = as_json
        self._live: Screen | None = None
        self.told = False
        self.exit_code = EXIT_WORLD

    def watching(self) -> "Screen":
        """Return the screen of a watch, which tells each look in the place of the last."""
        from stillup.cli.status_view import Screen

        self._live = Screen(alive=not self._as_json and sys.stdout.isatty())
        return self._live

    def tell(self, observed: "Observed") -> None:
        """Judge and tell one look."""
        from stillup.status.judge import judge
        from stillup.status.verdict import Level

        observed = replace(observed, backups=self._made)
        verdict = judge(self._farm, observed)
        self.told = True
        self.exit_code = EXIT_DONE if verdict.level is Level.SERVING else EXIT_WORLD
        if self._as_json:
            self._tell_json(observed, verdict)
            return
        from stillup.cli.status_view import Screen

        (self._live or Screen(alive=False)).show(self._farm, observed, verdict)

    def _tell_json(self, observed: "Observed", verdict: "Verdict") -> None:
        from stillup.status.export import as_json

        told = as_json(self._farm, observed, verdict)
        # A watch tells one object a line, for programs that read on.
        indent = 2 if self._live is None else None
        print(json.dumps(told, indent=indent, ensure_ascii=False), flush=True)


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0.0
    if not _SHORTEST_S <= seconds <= 3600:
        raise ArgumentTypeError(f"{word!r} is not a number of seconds from {_SHORTEST_S} to 3600")
    return seconds
