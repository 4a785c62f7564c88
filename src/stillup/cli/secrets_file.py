"""The secrets file beside the farm file: read, made on first use, completed, kept private.

It is written beside and renamed into place, mode 0600 from its first byte. The file that is
written beside is locked while it is written: of two processes that both find a secret
missing, the second waits, looks again, and finds it made. A process that dies in between
leaves that file behind, and the next one writes over it.
"""

import fcntl
import os
import pwd
import secrets as chance
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from stillup.cli.certificate import self_signed, still_good
from stillup.cli.cluster_certificate import authority_and_certificate
from stillup.cli.files import FileRefused, first_bytes, opened
from stillup.errors import InputRefused
from stillup.model.document import MOST_BYTES
from stillup.model.farm import Farm
from stillup.model.problems import Problem, listing
from stillup.model.secrets import GivenSecrets, read_secrets, write_secrets

_PASSWORD_BYTES = 24
HEARTBEAT_KEY_BYTES = 32
_CLUSTER_KEY_BYTES = 32


def secrets_path(farm_path: Path) -> Path:
    """Return where a farm's secrets are: ``farm.secrets.toml`` beside ``farm.toml``."""
    return farm_path.with_name(f"{farm_path.stem}.secrets.toml")


def given_secrets(farm_path: Path) -> GivenSecrets | tuple[Problem, ...]:
    """Return the secrets there are so far; nothing is made.

    Raises:
        InputRefused: If the file cannot be read, or others can read it.
    """
    path = secrets_path(farm_path)
    try:
        with opened(path) as descriptor:
            _refuse_unless_private(path, os.fstat(descriptor))
            data = first_bytes(descriptor, path, MOST_BYTES + 1)
    except FileNotFoundError:
        return GivenSecrets()
    return read_secrets(data, str(path)) if data.strip() else GivenSecrets()


def complete_secrets(farm: Farm, farm_path: Path, now: datetime) -> GivenSecrets:
    """Return all the farm's secrets, after making and keeping those that are missing.

    Raises:
        InputRefused: If the file has problems, others can read it, or it cannot be written.
    """
    if (given := _sound(farm_path)) == _completed(given, farm, now):
        return given
    path = secrets_path(farm_path).resolve()
    try:
        with _written_beside(path) as beside:
            given = _sound(farm_path)
            complete = _completed(given, farm, now)
            if complete != given:
                # First, so that there is no moment at which `git add .` would take the secrets.
                _ignore_in_git(path)
                _write(beside, path, write_secrets(complete))
    except OSError as error:
        raise FileRefused(path, f"cannot be written: {error.strerror}") from error
    return complete


def change_secrets(farm_path: Path, change: Callable[[GivenSecrets], GivenSecrets]) -> GivenSecrets:
    """Keep the secrets as ``change`` returns them, and return them.

    Raises:
        InputRefused: If the file has problems, others can read it, or it cannot be written.
    """
    path = secrets_path(farm_path).resolve()
    try:
        with _written_beside(path) as beside:
            given = _sound(farm_path)
            changed = change(given)
            if changed != given:
                _write(beside, path, write_secrets(changed))
    except OSError as error:
        raise FileRefused(path, f"cannot be written: {error.strerror}") from error
    return changed


def _sound(farm_path: Path) -> GivenSecrets:
    given = given_secrets(farm_path)
    if not isinstance(given, GivenSecrets):
        raise InputRefused(listing(given))
    return given


def _completed(given: GivenSecrets, farm: Farm, now: datetime) -> GivenSecrets:
    """Return the secrets with those made that the farm needs and the file lacks."""
    tls_pem = given.tls_pem
    self_signs = farm.tls.enabled and farm.tls.certificate is None
    if self_signs and (tls_pem is None or not still_good(tls_pem, farm, now)):
        tls_pem = self_signed(farm, now)
    if farm.has_cluster:
        given = replace(
            given,
            cluster_key=given.cluster_key or chance.token_hex(_CLUSTER_KEY_BYTES),
            cluster_pem=given.cluster_pem or authority_and_certificate(farm, now),
        )
    return replace(
        given,
        heartbeat_key=given.heartbeat_key or chance.token_hex(HEARTBEAT_KEY_BYTES),
        database_password=given.database_password or chance.token_urlsafe(_PASSWORD_BYTES),
        stats_password=given.stats_password or chance.token_urlsafe(_PASSWORD_BYTES),
        tls_pem=tls_pem,
    )


def _refuse_unless_private(path: Path, status: os.stat_result) -> None:
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise FileRefused(
            path,
            f"is open to others (mode {mode}); `chmod 600` it, and if others may have read it, "
            "remove it so that new secrets are made",
        )
    _refuse_unless_ours(path, status)


def _refuse_unless_ours(path: Path, status: os.stat_result) -> None:
    # Root works for the owner of the folder too: `sudo stillup lab up` beside a user's own file.
    allowed = {os.geteuid()} if os.geteuid() else {0, path.resolve().parent.stat().st_uid}
    if status.st_uid not in allowed:
        raise FileRefused(path, f"belongs to {_account(status.st_uid)}; it has to be yours")


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


@contextmanager
def _written_beside(path: Path) -> Iterator[int]:
    """Give the locked, empty, private file that is to become ``path``."""
    beside = _beside(path)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        descriptor = os.open(beside, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Whoever held the lock before has renamed or removed the file: lock the new one.
            if not _is(beside, descriptor):
                continue
            _refuse_unless_ours(beside, os.fstat(descriptor))
            os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
            yield descriptor
            return
        finally:
            if _is(beside, descriptor):
                beside.unlink()
            os.close(descriptor)


def _beside(path: Path) -> Path:
    # Ends like the secrets file itself, so that the same line keeps it out of git.
    return path.with_name(f".new.{path.name}")


def _is(path: Path, descriptor: int) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))


def _write(descriptor: int, path: Path, text: str) -> None:
    data = text.encode()
    while data:
        data = data[os.write(descriptor, data) :]
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    os.fsync(descriptor)
    _beside(path).rename(path)


def _ignore_in_git(path: Path) -> None:
    """Add the secrets file to ``.gitignore`` unless one here or above names it already."""
    # Bytes: the names in it are in whatever encoding their owner's file system has.
    ours = {name.encode() for name in (path.name, f"/{path.name}", "*.secrets.toml")}
    folder = path.parent
    for above in (folder, *folder.parents):
        with suppress(OSError):
            lines = (above / ".gitignore").read_bytes().split(b"\n")
            if ours & {line.strip() for line in lines}:
                return
        if (above / ".git").exists():
            break
    ignore = folder / ".gitignore"
    old = ignore.read_bytes() if ignore.exists() else b""
    gap = b"" if not old or old.endswith(b"\n") else b"\n"
    ignore.write_bytes(old + gap + b"*.secrets.toml\n")
