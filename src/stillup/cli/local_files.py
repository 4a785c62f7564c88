"""The files and folders on this machine that a farm file names: are they there, and right?"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from stillup.cli.certificate import Pair, PairRefused, read_pair
from stillup.cli.files import first_bytes, opened
from stillup.cli.secrets_file import secrets_path
from stillup.errors import InputRefused
from stillup.model.document import MOST_BYTES
from stillup.model.farm import Farm
from stillup.model.problems import joined, printable, shown

_ENDS_SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with what a key names; ``path`` is the key's, as in the farm file."""

    path: tuple[str, ...]
    text: str
    code: str
    is_problem: bool = True
    """False for what only deserves a note."""


def beside(farm_path: Path, named: str) -> Path:
    """Return the path of a file or folder that the farm file names, relative to itself."""
    path = Path(named)
    with suppress(RuntimeError):  # no such user, so no such home: it is a name like any other
        path = path.expanduser()
    return farm_path.parent / path


def findings(farm: Farm, farm_path: Path, now: datetime) -> Iterator[Finding]:
    """Yield what is wrong with the files and folders that the farm file names."""
    yield from _site(farm, farm_path)
    yield from _ssh(farm, farm_path)
    if farm.tls.enabled and farm.tls.certificate is not None:
        yield from _certificate(farm, farm_path, now)
    elif farm.tls.enabled:
        told = "not given, so stillup signs one itself, which browsers warn of"
        yield Finding(("tls", "certificate"), told, "self-signed", is_problem=False)


def site_source(farm: Farm, farm_path: Path) -> Path:
    """Return the site's folder, which is to be released.

    Raises:
        InputRefused: If a file is in it that is for the farm's owner alone.
    """
    for text in _private(farm, farm_path):
        raise InputRefused(f"{printable(str(farm_path))}: site.source: {text}")
    return beside(farm_path, farm.site.source)


def _private(farm: Farm, farm_path: Path) -> Iterator[str]:
    """Yield a sentence for each file that would be released and is nobody else's business."""
    source = beside(farm_path, farm.site.source)
    named = [beside(farm_path, key) for key in (farm.ssh.key, farm.tls.key) if key is not None]
    for path in (farm_path, secrets_path(farm_path), *named):
        if _lies_in(path, source):
            yield (
                f"{shown(str(path))} lies in {shown(str(source))} and would be released with the "
                "site, for its visitors to read; put the site into a folder of its own"
            )


def _lies_in(path: Path, folder: Path) -> bool:
    with suppress(OSError):
        return path.exists() and path.resolve().is_relative_to(folder.resolve())
    return False


def _certificate(farm: Farm, farm_path: Path, now: datetime) -> Iterator[Finding]:
    pair = own_certificate(farm, farm_path, now)
    if isinstance(pair, PairRefused):
        yield Finding(("tls", pair.key), pair.text, pair.code)
        return
    if lacking := pair.lacks(farm.site.hosts):
        told = f"is not for {joined(lacking)}, so browsers will refuse it there"
        yield Finding(("tls", "certificate"), told, "certificate-of-another")
    if pair.ends - now < _ENDS_SOON:
        told = f"ends on {pair.ends:%Y-%m-%d}, and browsers refuse the site from then on"
        yield Finding(("tls", "certificate"), told, "certificate-ends-soon", is_problem=False)


def own_certificate(farm: Farm, farm_path: Path, now: datetime) -> Pair | PairRefused:
    """Return the user's own certificate and key, read and checked."""
    certificate = _bytes(farm_path, "certificate", farm.tls.certificate or "")
    if isinstance(certificate, PairRefused):
        return certificate
    key = _bytes(farm_path, "key", farm.tls.key or "")
    if isinstance(key, PairRefused):
        return key
    return read_pair(certificate, key, now)


def _bytes(farm_path: Path, key: str, named: str) -> bytes | PairRefused:
    path = beside(farm_path, named)
    try:
        with opened(path) as descriptor:
            # A group is let in, as Debian keeps keys readable for the group ssl-cert.
            if key == "key" and os.fstat(descriptor).st_mode & stat.S_IRWXO:
                told = f"{shown(named)} is open to everybody; `chmod 600` it"
                return PairRefused(key, told, "key-open-to-others")
            return first_bytes(descriptor, path, MOST_BYTES)
    except FileNotFoundError:
        return PairRefused(key, f"{shown(str(path))} does not exist", "no-such-file")
    except InputRefused as error:
        return PairRefused(key, str(error), "unreadable-file")


def _site(farm: Farm, farm_path: Path) -> Iterator[Finding]:
    source = beside(farm_path, farm.site.source)
    if not _is_folder(source):
        told = f"{shown(str(source))} is no folder here; make it, or name the site's"
        yield Finding(("site", "source"), told, "no-such-folder")
    elif not _is_folder(source / farm.site.document_root):
        told = f"{shown(farm.site.document_root)} is no folder in {shown(str(source))}"
        yield Finding(("site", "document_root"), told, "no-such-folder")
    for told in _private(farm, farm_path):
        yield Finding(("site", "source"), told, "private-in-site")


def _ssh(farm: Farm, farm_path: Path) -> Iterator[Finding]:
    for key, named in (("key", farm.ssh.key), ("known_hosts", farm.ssh.known_hosts)):
        if named is None:
            continue
        path = beside(farm_path, named)
        try:
            with opened(path):
                pass
        except FileNotFoundError:
            yield Finding(("ssh", key), f"{shown(str(path))} does not exist", "no-such-file")
        except InputRefused as error:
            yield Finding(("ssh", key), str(error), "unreadable-file")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        # A name too long for the file system, for one.
        return False
