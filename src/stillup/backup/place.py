"""Where backups lie: what every such place can do, whatever it is.

Every place holds folders, each with a few files. A folder is filled under a hidden name and
then renamed: until then it is no backup.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from stillup.errors import InputRefused
from stillup.model.backup_words import SSH_PLACE

PIECE_BYTES = 1024 * 1024


class Sink(Protocol):
    """A file that is being written."""

    async def write(self, data: bytes) -> None:
        """Write on.

        Raises:
            BackupFailed: If the place does not take it: a full disk, a cut line.
        """
        ...

    async def end(self) -> None:
        """Have all of it on the disk."""
        ...


class Place(Protocol):
    """Somewhere to keep backups. Every method raises ``BackupFailed``."""

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        ...

    async def names(self) -> list[str]:
        """Return the names of what is there, hidden ones too."""
        ...

    async def make(self, folder: str) -> None:
        """Make a new folder, for its owner alone."""
        ...

    def writing(self, folder: str, file: str) -> AbstractAsyncContextManager[Sink]:
        """Write a new file, for its owner alone."""
        ...

    def reading(self, folder: str, file: str) -> AsyncIterator[bytes]:
        """Yield a file's content, in pieces."""
        ...

    async def rename(self, folder: str, name: str) -> None:
        """Call a folder ``name``, at once and for good; there is no such one yet."""
        ...

    async def remove(self, folder: str) -> None:
        """Remove a folder with its files."""
        ...


@dataclass(frozen=True, slots=True)
class SshPlace:
    """A folder on another machine."""

    user: str | None
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"ssh://{user}{self.host}:{self.port}{self.path}"


def ssh_place(text: str) -> SshPlace | None:
    """Return the place that an address names; None for a path of this machine.

    Raises:
        InputRefused: If it is an address, but not one of the form ``ssh://user@host:port/path``.
    """
    if "://" not in text:
        return None
    found = SSH_PLACE.fullmatch(text)
    if found is None or not 0 < int(found["port"] or 22) < 65536:
        raise InputRefused(
            "that is no place for backups; write a folder, or "
            "ssh://user@host/path, or ssh://user@host:port/path"
        )
    return SshPlace(
        found["user"], found["host"].strip("[]"), int(found["port"] or 22), found["path"]
    )
