"""The key file: one key a line, at least 16 characters.

The first signs, every one is believed, so a key is rotated by adding it last, then moving it
first, then taking the old one out. Reading is apart from parsing: ``keys`` is pure.
"""

import hashlib
import os
import stat
from pathlib import Path

from stillup.errors import InputRefused
from stillup.heartbeat.seal import KEY_BYTES


def keys(data: bytes, file: str) -> dict[int, bytes]:
    """Return the keys in the text of a key file, by their id; the first signs.

    A key's id is the first byte of its SHA-256, so that servers agree on it in whatever order
    the file lists the keys.

    Raises:
        InputRefused: If there is no key, one is too short, or two have the same id.
    """
    found: dict[int, bytes] = {}
    for number, line in enumerate(data.splitlines(), start=1):
        key = line.strip()
        if not key:
            continue
        if len(key) < KEY_BYTES:
            raise InputRefused(f"{file}:{number}: a key needs at least {KEY_BYTES} characters")
        identity = hashlib.sha256(key).digest()[0]
        if identity in found and found[identity] != key:
            raise InputRefused(f"{file}:{number}: this key cannot be told from another; make anew")
        found[identity] = key
    if not found:
        raise InputRefused(f"{file}: there is no key in it")
    return found


def load_keys(named: str, credentials: str | None) -> dict[int, bytes]:
    """Read the key file, or the copy of it that systemd hands to the service.

    Args:
        named: The key file's path.
        credentials: systemd's ``$CREDENTIALS_DIRECTORY``, None outside a service; a file in
            it of the key file's name is taken first. systemd keeps others out of it.

    Raises:
        InputRefused: If it cannot be read, others can read it, or it is wrong.
    """
    path = Path(named)
    handed = Path(credentials) / path.name if credentials else None
    try:
        if handed is not None and handed.exists():
            return keys(handed.read_bytes(), named)
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & (stat.S_IRWXO | stat.S_IWGRP):
                raise InputRefused(
                    f"{path}: others can read or change this key (mode {mode & 0o777:04o}); "
                    f"run: chmod 0600 {path}, and make a new key"
                )
            return keys(file.read(), str(path))
    except OSError as error:
        raise InputRefused(f"{path}: the key cannot be read: {error.strerror}") from None
