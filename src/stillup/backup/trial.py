"""A backup tried: read back from where it lies, started, looked through.

What lies there is what is tried, not what was sent: read, opened, unpacked and prepared on a database server of
the farm, beside the database that serves and with what that leaves of processor and disk. A MariaDB of its own starts
on it, and every table is checked and counted.
"""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from stillup.backup.files_listing import listing_of
from stillup.backup.manifest import Manifest, Part
from stillup.backup.parts import content
from stillup.backup.place import Place
from stillup.backup.source import TableName, table_of
from stillup.errors import BackupBroken
from stillup.node.message import JsonObject
from stillup.servers.connection import Connection

Tell = Callable[[str], None]
WITHIN_S = 120.0
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Counted:
    """A table of the copy."""

    table: TableName
    rows: int


@dataclass(frozen=True, slots=True)
class Tried:
    """What a copy of the database came to."""

    version: str | None
    lsn: int
    gtid: str | None
    galera: str | None
    tables: tuple[Counted, ...]

    @property
    def names(self) -> tuple[TableName, ...]:
        """The tables' names."""
        return tuple(each.table for each in self.tables)


async def try_database(
    session: Connection, folder: str, pieces: AsyncIterator[bytes], tell: Tell
) -> Tried:
    """Have a server start a MariaDB on the copy that ``pieces`` are, and look through it.

    Raises:
        BackupBroken: If a table of it is not sound.
        ServerFailed: If it cannot be unpacked, prepared or started, or there is no room.
    """
    server = session.server.name

    def on_event(event: JsonObject) -> None:
        if event.get("step") in {"prepares", "starts", "checks"}:
            tell(f"{server} {event['step']} {event.get('detail', '')}")

    answer = await session.upload("backup.check", {}, pieces, on_event=on_event, within_s=WITHIN_S)
    bad = answer.get("bad")
    if isinstance(bad, list) and bad:
        named = "; ".join(str(sentence) for sentence in bad[:MOST_NAMED])
        raise BackupBroken(f"{folder}: the database in it is not sound: {named}")
    listed = answer.get("tables")
    return Tried(
        _text(answer, "version"),
        int(str(answer.get("lsn"))),
        _text(answer, "gtid"),
        _text(answer, "galera"),
        tuple(
            Counted(table_of(words), int(str(words[3])))
            for words in (listed if isinstance(listed, list) else [])
            if isinstance(words, list)
        ),
    )


def _text(answer: JsonObject, name: str) -> str | None:
    return str(answer[name]) if answer.get(name) is not None else None


def tables_file(tables: tuple[Counted, ...]) -> bytes:
    """Return the part ``tables``: what the database held when the backup was made."""
    return json.dumps([[*each.table, each.rows] for each in tables]).encode()


async def require_same(
    place: Place, manifest: Manifest, tried: Tried, identity: bytes | None
) -> None:
    """Compare with what was counted when the backup was made.

    Raises:
        BackupBroken: If a table or row more or less is there.
    """
    given = [
        piece async for piece in content(place, manifest.name, manifest.parts["tables"], identity)
    ]
    before = [Counted(table_of(words), int(words[3])) for words in json.loads(b"".join(given))]
    if different := set(before) ^ set(tried.tables):
        named = ", ".join(sorted({".".join(each.table[:2]) for each in different})[:MOST_NAMED])
        raise BackupBroken(f"{manifest.name}: not the tables or rows that were there: {named}")


async def try_files(place: Place, folder: str, part: Part, listing: str, key: bytes | None) -> None:
    """Read the shared files through, and compare what is in them with their listing.

    Raises:
        BackupBroken: If they are not what was written.
    """
    found = await listing_of(content(place, folder, part, key))
    if found != listing:
        raise BackupBroken(f"{folder}: the shared files in it are not those that were read")


async def try_part(place: Place, folder: str, part: Part, identity: bytes | None) -> None:
    """Read a part through.

    Raises:
        BackupBroken: If it is not what was written.
    """
    async for _ in content(place, folder, part, identity):
        continue
