"""``stillup backup``: make one, list them, try one, have the clock make them.

As JSON: a backup is its manifest (``docs/backup.md``) with ``"removed"``, ``"notes"`` and
``"seconds"``; ``list`` is ``{"backups": [manifest], "broken": [str]}``; ``verify`` is
``{"backup", "sound": true, "server", "seconds"}``; ``timer`` see ``backup_timer``.
"""

import asyncio
import json
import sys
import time
from argparse import SUPPRESS, Namespace
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from stillup.backup.manifest import Manifest
from stillup.cli import backup_timer
from stillup.cli.arguments import CommandParser, Subparsers
from stillup.cli.backup_place import alone, farm_files, identity, machine, opened
from stillup.cli.context import access_for, load_farm
from stillup.errors import EXIT_DONE, EXIT_WORLD
from stillup.model.farm import Farm

_DESCRIPTION = """\
Copies the database from a database server that serves (not the writer, where there are
several), the shared files, the farm file and the farm's secrets to `backup.to`, without stopping
anything. What then lies there is read back, started and looked through on a database server;
only what passed that is called a backup, and only then those beyond `backup.keep` are removed."""


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "backup",
        help="a backup now; list, verify, timer",
        description=_DESCRIPTION,
        epilog="example: stillup backup verify latest --identity ~/farm-backup.key",
    )
    add_place(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")
    add_place(actions.add_parser("list", help="the backups there are"), below=True)
    verify = actions.add_parser(
        "verify",
        help="try a backup again",
        description="Reads a backup from where it lies, starts a MariaDB of its own on it beside the\n"
        "one that serves, checks every table, compares the number of rows, and reads the shared\n"
        "files through. Nothing of it is left on the server.",
    )
    add_place(verify, below=True)
    add_which(verify)
    backup_timer.add(actions)


def add_place(parser: CommandParser, *, below: bool = False) -> None:
    """Add the option for where backups are; ``below`` a command that has it already."""
    parser.add_argument(
        "--place",
        metavar="PLACE",
        default=SUPPRESS if below else None,
        help="a folder, or ssh://user@host/path [backup.to]",
    )


def add_which(parser: CommandParser) -> None:
    """Add what names a backup, and the key that opens it."""
    parser.add_argument(
        "which", nargs="?", default="latest", metavar="WHICH", help="a backup's name [latest]"
    )
    parser.add_argument(
        "--identity", type=Path, metavar="FILE", help="the age key of an encrypted backup"
    )


def run(arguments: Namespace) -> int:
    """Do it; return the exit code."""
    farm = load_farm(arguments.file)
    match arguments.action:
        case "list":
            return asyncio.run(_list(arguments, farm))
        case "verify":
            return asyncio.run(_verify(arguments, farm))
        case "timer":
            return backup_timer.run(arguments, farm)
        case _:
            with alone(arguments.file):
                return asyncio.run(_make(arguments, farm))


async def _make(arguments: Namespace, farm: Farm) -> int:
    from stillup.backup.make import make

    began_s, now = time.monotonic(), datetime.now(UTC)
    async with opened(arguments, farm) as place:
        made = await make(
            farm,
            access_for(arguments, farm),
            place,
            farm_files(arguments, farm),
            now=now,
            machine=machine(arguments.file),
            tell=tell,
        )
    seconds = round(time.monotonic() - began_s, 3)
    if arguments.json:
        more = {"removed": [*made.removed], "notes": [*made.notes], "seconds": seconds}
        print(json.dumps({**asdict(made.manifest), **more}, indent=2))
        return EXIT_DONE
    for note in made.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"{_line(made.manifest)}; tried on {made.manifest.checked}, after {seconds:.1f} s")
    if made.removed:
        print(f"removed, as {farm.backup.keep} are kept: {', '.join(made.removed)}")
    return EXIT_DONE


async def _list(arguments: Namespace, farm: Farm) -> int:
    from stillup.backup.kept import listed

    async with opened(arguments, farm) as place:
        found = await listed(farm, place)
    if arguments.json:
        told = {
            "backups": [asdict(manifest) for manifest in found.backups],
            "broken": [*found.broken],
        }
        print(json.dumps(told, indent=2))
    else:
        for manifest in found.backups:
            print(_line(manifest))
        if not found.backups:
            print(f"no backups of the farm {farm.name}")
    for sentence in found.broken:
        print(f"stillup: {sentence}", file=sys.stderr)
    return EXIT_WORLD if found.broken else EXIT_DONE


async def _verify(arguments: Namespace, farm: Farm) -> int:
    from stillup.backup import kept

    began_s, key = time.monotonic(), identity(arguments)
    async with opened(arguments, farm) as place:
        manifest = await kept.found(farm, place, arguments.which)
        access = access_for(arguments, farm)
        server = await kept.verify(farm, access, place, manifest, key, tell=tell)
    seconds = round(time.monotonic() - began_s, 3)
    if arguments.json:
        told = {"backup": manifest.name, "sound": True, "server": server, "seconds": seconds}
        print(json.dumps(told, indent=2))
    else:
        print(f"{manifest.name} is sound: tried on {server}, after {seconds:.1f} s")
    return EXIT_DONE


def _line(manifest: Manifest) -> str:
    point = manifest.database
    where = point.galera or point.gtid or f"LSN {point.lsn}"
    files = f", {manifest.files.entries} shared files" if manifest.files else ""
    sealed = ", encrypted" if manifest.encrypted else ""
    return (
        f"{manifest.name}  {manifest.stored_bytes / 1e6:.1f} MB: {point.tables} tables, "
        f"{point.rows} rows at {where}{files}{sealed}"
    )


def tell(text: str) -> None:
    """Tell progress; stdout is for what was asked for."""
    print(text, file=sys.stderr, flush=True)
