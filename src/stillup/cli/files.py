"""Files that the user names, read so that a folder, device or pipe in their place cannot hang us."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from stillup.errors import InputRefused
from stillup.model.problems import printable

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class FileRefused(InputRefused):
    """A file that cannot be used as it is; ``text`` says why, without the file's name."""

    code: ClassVar[str] = "file-refused"

    def __init__(self, path: Path, text: str) -> None:
        """Keep the reason beside the whole sentence."""
        super().__init__(f"{printable(str(path))} {text}")
        self.text = text


def read_file(path: Path, most_bytes: int) -> bytes:
    """Return the first ``most_bytes`` of a regular file.

    Raises:
        FileNotFoundError: If there is none.
        FileRefused: If it is no regular file or cannot be read.
    """
    with opened(path) as descriptor:
        return first_bytes(descriptor, path, most_bytes)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a regular file for reading and give its descriptor.

    Raises:
        FileNotFoundError: If there is none.
        FileRefused: If it is no regular file or cannot be opened.
    """
    try:
        # Looked at before it is opened, as opening alone makes some devices act; and opened
        # without waiting, should a pipe take its place in between.
        _refuse_all_but_files(path, path.stat())
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    try:
        _refuse_all_but_files(path, os.fstat(descriptor))
        yield descriptor
    finally:
        os.close(descriptor)


def first_bytes(descriptor: int, path: Path, most_bytes: int) -> bytes:
    """Return what an opened file begins with.

    Raises:
        FileRefused: If it cannot be read.
    """
    parts: list[bytes] = []
    left = most_bytes
    try:
        while left > 0 and (part := os.read(descriptor, left)):
            parts.append(part)
            left -= len(part)
    except OSError as error:
        raise _unreadable(path, error) from error
    return b"".join(parts)


def _refuse_all_but_files(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no file")
        raise FileRefused(path, f"is {kind}; name a file")


def _unreadable(path: Path, error: Exception) -> FileRefused:
    # A NUL in a name is a ValueError, in words that differ between Pythons.
    why = error.strerror if isinstance(error, OSError) else "no file can have this name"
    return FileRefused(path, f"cannot be read: {why}")
