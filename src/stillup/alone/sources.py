"""Where the heartbeat's settings come from: TOML, JSON, or the folder ``/etc/ha.d``; reads them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stillup.alone import ha_d, toml_file
from stillup.alone.fate import Fate
from stillup.alone.server import look
from stillup.errors import InputRefused
from stillup.heartbeat import key_file, settings
from stillup.heartbeat.settings import DaemonSettings

DEFAULT = Path("/etc/stillup/heartbeat.toml")


@dataclass(frozen=True, slots=True)
class Told:
    """What the daemon is told.

    Args:
        settings: Its settings.
        keys: The keys by id; the first signs.
        logs: Files that the log is written to as well.
        fates: What became of each line of ``/etc/ha.d``; empty for other sources.
    """

    settings: DaemonSettings
    keys: Mapping[int, bytes] = field(repr=False)
    logs: tuple[str, ...] = ()
    fates: tuple[Fate, ...] = ()


class Refused(InputRefused):
    """Some lines of ``/etc/ha.d`` cannot be had; ``fates`` has what becomes of all."""

    def __init__(self, fates: tuple[Fate, ...], refusals: tuple[Fate, ...]) -> None:
        """Say each refusal on a line of its own."""
        super().__init__("\n".join(str(fate) for fate in refusals))
        self.fates = fates


def load(path: Path) -> Told:
    """Read settings and keys.

    Args:
        path: A ``.json`` file, a folder with ``ha.cf``, ``authkeys`` and ``haresources``, or a
            TOML file.

    Raises:
        InputRefused: With every problem, each on a line of its own.
        ServerFailed: If the kernel does not tell this server's addresses.
    """
    if path.is_dir():
        return _ha_d(path)
    handed = os.environ.get("CREDENTIALS_DIRECTORY")
    if path.suffix == ".json":
        told = settings.load(path)
    else:
        told = toml_file.read(_bytes(path, "the settings"), str(path), look())
    return Told(told, key_file.load_keys(told.key_file, handed))


def _ha_d(folder: Path) -> Told:
    cf, auth, resources = (folder / name for name in ("ha.cf", "authkeys", "haresources"))
    files = ha_d.Files(
        _text(cf),
        _text(auth),
        auth.stat().st_mode,
        _text(resources),
        (str(cf), str(auth), str(resources)),
    )
    read = ha_d.read(files, look(folder))
    if read.refusals:
        raise Refused(read.fates, read.refusals)
    told, problems = settings.of_values(read.values)
    if problems:
        raise InputRefused("\n".join(f"{folder}: {problem}" for problem in problems))
    return Told(told, read.auth.keys(), read.logs, read.fates)


def _text(path: Path) -> str:
    data = _bytes(path, "the file")
    if b"\0" in data:
        raise InputRefused(f"{path}: holds a NUL byte, so it is not a text file")
    return data.decode("utf-8", errors="replace")


def _bytes(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputRefused(f"{path}: {what} cannot be read: {error.strerror}") from None
