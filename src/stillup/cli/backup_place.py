"""Where a farm's backups are, what of this machine goes with them, and one command at a time."""

import fcntl
import hashlib
import os
import socket
from argparse import Namespace
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from stillup.backup.folder import Folder
from stillup.backup.make import FarmFiles
from stillup.backup.place import Place, ssh_place
from stillup.cli.files import read_file
from stillup.cli.local_files import beside
from stillup.cli.secrets_file import secrets_path
from stillup.errors import ChangeRefused, InputRefused
from stillup.model.document import MOST_BYTES
from stillup.model.farm import Farm
from stillup.model.problems import printable

_IDENTITY_BYTES = 64 * 1024


def place_text(arguments: Namespace, farm: Farm | None) -> str:
    """Return where backups are, as ``--place`` or the farm file says.

    Raises:
        InputRefused: If neither does.
    """
    text = arguments.place or (farm.backup.to if farm else None)
    if not text:
        raise InputRefused(
            f"{printable(str(arguments.file))}: backup.to says where backups go, and is not "
            "given; write a folder or ssh://user@host/path, or name it with --place"
        )
    return str(text)


def local_folder(arguments: Namespace, farm: Farm | None) -> Path | None:
    """Return the folder of backups; None where they are on another machine."""
    text = place_text(arguments, farm)
    if ssh_place(text) is not None:
        return None
    folder = Path(text).expanduser() if arguments.place else beside(arguments.file, text)
    if farm is not None and _lies_in(folder, beside(arguments.file, farm.site.source)):
        raise InputRefused(
            f"{printable(str(folder))} lies in the site's folder (site.source), and every backup "
            "would be released with the site; choose another one"
        )
    return folder


@asynccontextmanager
async def opened(arguments: Namespace, farm: Farm | None) -> AsyncIterator[Place]:
    """Give the place of a farm's backups."""
    folder = local_folder(arguments, farm)
    if folder is not None:
        yield Folder(folder)
        return
    address = ssh_place(place_text(arguments, farm))
    assert address is not None
    from stillup.backup import sftp

    key = farm.ssh.key if farm else None
    known = farm.ssh.known_hosts if farm else None
    hosts = beside(arguments.file, known) if known else Path.home() / ".ssh/known_hosts"
    async with sftp.opened(address, beside(arguments.file, key) if key else None, hosts) as place:
        yield place


def farm_files(arguments: Namespace, farm: Farm) -> FarmFiles:
    """Return the farm file and what belongs to it; the user's own certificate by its file's name."""
    secrets = secrets_path(arguments.file)
    plain = {arguments.file.name: read_file(arguments.file, MOST_BYTES)}
    secret = {secrets.name: read_file(secrets, MOST_BYTES)} if secrets.exists() else {}
    if farm.tls.certificate is not None and farm.tls.key is not None:
        for named, kept in ((farm.tls.certificate, plain), (farm.tls.key, secret)):
            path = beside(arguments.file, named)
            kept[path.name] = read_file(path, MOST_BYTES)
    return FarmFiles(plain, secret)


def identity(arguments: Namespace) -> bytes | None:
    """Return the key that opens encrypted backups, as ``--identity`` names it.

    Raises:
        InputRefused: If it cannot be read.
    """
    path: Path | None = arguments.identity
    if path is None:
        return None
    try:
        return read_file(path, _IDENTITY_BYTES)
    except FileNotFoundError:
        raise InputRefused(f"{printable(str(path))} does not exist") from None


def machine(farm_path: Path) -> str:
    """Return what this machine's unfinished backups of that farm file are called by."""
    told = f"{socket.gethostname()}:{farm_path.resolve()}"
    return hashlib.sha256(told.encode()).hexdigest()[:12]


@contextmanager
def alone(farm_path: Path) -> Iterator[None]:
    """Hold off every other backup of this farm file on this machine; freed by any end.

    Raises:
        ChangeRefused: If another one is under way.
    """
    # A lock on the farm file itself: it leaves nothing behind, and reading rights are enough.
    descriptor = os.open(farm_path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ChangeRefused(
                f"another backup of {printable(str(farm_path))} is under way on this machine"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _lies_in(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
