"""What a backup says of itself, ``manifest.json``: read by people, and by any later version.

It is the last file that is written; a folder without it is no backup. Of the content it tells
sizes, counts and checksums, and no name of a table or file.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from stillup.errors import BackupBroken

FILE = "manifest.json"
FORMAT = 1
MOST_BYTES = 4 * 1024 * 1024

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a backup; ``stored_`` is as it lies there: compressed, and perhaps encrypted."""

    file: str
    bytes: int
    sha256: str
    stored_bytes: int
    stored_sha256: str


@dataclass(frozen=True, slots=True)
class DatabasePoint:
    """Where the database stands in the backup, as read from the copy itself."""

    server: str
    version: str | None
    lsn: int
    gtid: str | None
    galera: str | None
    """``uuid:seqno`` of the group's last write; None for a database server alone."""
    tables: int
    rows: int


@dataclass(frozen=True, slots=True)
class SharedFiles:
    """The shared files in the backup."""

    server: str
    folders: tuple[str, ...]
    entries: int
    content_bytes: int
    listing: str
    """SHA-256 over a line for each entry; see ``stillup.node.shared_files``."""
    changing: int
    """How many files were being written each time they were read; each may be torn."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup."""

    format: int
    name: str
    farm: str
    made: str
    """ISO 8601, UTC."""
    by: str
    encrypted: bool
    secrets: bool
    """Whether the farm's secrets are in it."""
    parts: Mapping[str, Part]
    """``database``, ``tables``, ``farm``, and ``files`` where there are shared folders."""
    database: DatabasePoint
    files: SharedFiles | None
    checked: str
    """The server on which it was started and looked through before it counted."""

    @property
    def stored_bytes(self) -> int:
        """What the backup takes."""
        return sum(part.stored_bytes for part in self.parts.values())


_MANIFEST = TypeAdapter(Manifest)


def write_manifest(manifest: Manifest) -> bytes:
    """Return the manifest's file."""
    return json.dumps(asdict(manifest), indent=2).encode() + b"\n"


def read_manifest(data: bytes, name: str) -> Manifest:
    """Return what the manifest of the backup ``name`` says.

    Raises:
        BackupBroken: If it is of a later version, or was changed.
    """
    try:
        given = json.loads(data)
        number = given.get("format") if isinstance(given, dict) else None
        if isinstance(number, int) and number > FORMAT:
            raise BackupBroken(f"{name} was made by a later version of stillup (format {number})")
        manifest = _MANIFEST.validate_python(given)
    except (ValueError, ValidationError) as error:
        raise BackupBroken(f"{name}: {FILE} is not what stillup wrote") from error
    if manifest.name != name or not {"database", "tables", "farm"} <= manifest.parts.keys():
        raise BackupBroken(f"{name}: {FILE} is of another backup")
    return manifest
