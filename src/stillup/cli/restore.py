"""``stillup restore``: a backup put back into a farm, or its farm file beside this one's name.

As JSON: ``{"backup", "database": server, "files": server|null, "changed": [server],
"seconds": float}``; with ``--farm-file`` ``{"backup", "written": [path]}``.
"""

import asyncio
import io
import json
import os
import sys
import tarfile
import time
from argparse import Namespace
from pathlib import Path

from stillup.cli.arguments import Subparsers
from stillup.cli.backup import add_place, add_which, tell
from stillup.cli.backup_place import identity, opened
from stillup.cli.context import access_for, load_farm, load_secrets
from stillup.errors import EXIT_DONE, BackupBroken, ChangeRefused, InputRefused
from stillup.model.document import MOST_BYTES
from stillup.model.problems import printable

_DESCRIPTION = """\
Puts a backup into a farm that `stillup apply` has set up: the database and the shared files, and
then applies the farm file, so that accounts and passwords are those of now. Everything is
brought beside what serves and prepared first; MariaDB stands still only while folders are
exchanged. It may be interrupted at any point, and run again it goes on."""


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "restore",
        help="put a backup back",
        description=_DESCRIPTION,
        epilog="examples:\n"
        "  stillup restore latest --place ssh://backup@nas.example/srv/shop --farm-file\n"
        "  stillup apply && stillup restore latest",
    )
    add_place(parser)
    add_which(parser)
    parser.add_argument(
        "--replace",
        action="store_true",
        help="lose what the farm holds now, in favour of the backup",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask whether to --replace")
    parser.add_argument(
        "--farm-file",
        action="store_true",
        help="only write the backup's farm file and secrets, where there are none",
    )
    parser.set_defaults(verbose=False)


def run(arguments: Namespace) -> int:
    """Restore."""
    if arguments.farm_file:
        if arguments.file.exists():
            shown = printable(str(arguments.file))
            raise InputRefused(f"{shown} is there already; -f names another one")
        return asyncio.run(_write_farm_file(arguments))
    from stillup.cli.apply import applied

    began_s = time.monotonic()
    farm = load_farm(arguments.file)
    if arguments.replace and not arguments.yes:
        _ask(farm.name)
    secrets = load_secrets(farm, arguments.file)
    name, database, files = asyncio.run(_restore(arguments))
    tell("applies the farm file")
    outcome = applied(arguments, farm, secrets)
    changed = [each for each, standing in outcome.plan.standings.items() if standing.to_change]
    seconds = round(time.monotonic() - began_s, 3)
    if arguments.json:
        told = {"backup": name, "database": database, "files": files, "changed": changed}
        print(json.dumps({**told, "seconds": seconds}, indent=2))
    else:
        also = f", the shared files through {files}" if files else ""
        print(f"{name} is back: the database on {database}{also}, after {seconds:.1f} s")
    return EXIT_DONE


async def _restore(arguments: Namespace) -> tuple[str, str, str | None]:
    from stillup.backup import kept
    from stillup.backup.restore import restore

    farm, key = load_farm(arguments.file), identity(arguments)
    async with opened(arguments, farm) as place:
        manifest = await kept.found(farm, place, arguments.which)
        access = access_for(arguments, farm)
        restored = await restore(
            farm, access, place, manifest, key, replace=arguments.replace, tell=tell
        )
    return manifest.name, restored.database, restored.files


def _ask(farm: str) -> None:
    if not sys.stdin.isatty():
        raise InputRefused("--replace asks first, and nobody is there to answer; --yes answers it")
    print(f"What the farm {farm} holds now will be lost. Its name, to go on: ", end="", flush=True)
    if sys.stdin.readline().strip() != farm:
        raise ChangeRefused("nothing was changed")


async def _write_farm_file(arguments: Namespace) -> int:
    from stillup.backup import kept
    from stillup.backup.parts import content

    path: Path = arguments.file
    key = identity(arguments)
    async with opened(arguments, None) as place:
        manifest = await kept.found(None, place, arguments.which)
        kept.require_key(manifest, key)
        part = manifest.parts["farm"]
        data = b"".join([piece async for piece in content(place, manifest.name, part, key)])
    written = [str(each) for each in _unpack(data, path, manifest.name)]
    if arguments.json:
        print(json.dumps({"backup": manifest.name, "written": written}, indent=2))
    else:
        print(f"{manifest.name}: wrote {', '.join(written)}")
    return EXIT_DONE


def _unpack(data: bytes, path: Path, name: str) -> list[Path]:
    """Write the files beside each other, the first under the name that was asked for."""
    written = []
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for number, member in enumerate(tar):
            content = tar.extractfile(member)
            if content is None or "/" in member.name or member.size > MOST_BYTES:
                raise BackupBroken(f"{name}: its farm files are not what stillup wrote")
            target = path if number == 0 else _beside(path, member.name)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            try:
                descriptor = os.open(target, flags, 0o600)
            except OSError as error:
                raise InputRefused(f"{printable(str(target))}: {error.strerror}") from error
            with os.fdopen(descriptor, "wb") as file:
                file.write(content.read())
            written.append(target)
    return written


def _beside(path: Path, name: str) -> Path:
    """Return where a file goes; the secrets follow the farm file's name."""
    if name.endswith(".secrets.toml"):
        return path.with_name(f"{path.stem}.secrets.toml")
    return path.with_name(name)
