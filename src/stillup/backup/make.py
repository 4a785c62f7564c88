"""Making a backup: copied, tried, and only then called one.

The database first, the shared files after it: a page that takes an upload writes the file and then the row, so every
file that a row of the copy names was there when the files were read (unless somebody removed it in between). Each
part goes straight from its server to its place, a piece at a time. Then all of it is read back from there and tried
(``trial``). Only a backup that passed gets its name, and only then the oldest go. Whatever ends this in the
middle leaves a hidden folder that is no backup; the next backup removes it.
"""

import io
import tarfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from stillup import __version__
from stillup.backup import age, names
from stillup.backup.manifest import (
    FILE,
    FORMAT,
    DatabasePoint,
    Manifest,
    Part,
    SharedFiles,
    write_manifest,
)
from stillup.backup.mounted import mounted_on
from stillup.backup.parts import content, writing
from stillup.backup.place import Place
from stillup.backup.source import Look, chosen, look_of, missing
from stillup.backup.trial import Tried, tables_file, try_database, try_files, try_part
from stillup.deploy.session import Sessions, open_all, together
from stillup.errors import BackupBroken, BackupFailed
from stillup.model.farm import Farm, Role, Server
from stillup.servers.connection import Access, Connection

Tell = Callable[[str], None]
WITHIN_S = 120.0
"""A server that says nothing for so long is lost."""


@dataclass(frozen=True, slots=True)
class FarmFiles:
    """The farm file and what belongs to it, by name; never in a repr."""

    plain: Mapping[str, bytes] = field(repr=False)
    secret: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Made:
    """What a backup came to."""

    manifest: Manifest
    removed: tuple[str, ...]
    """Older ones that were removed."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Copied:
    parts: Mapping[str, Part]
    files: SharedFiles | None
    source: str
    before: Look
    after: Look


async def make(
    farm: Farm,
    access: Access,
    place: Place,
    farm_files: FarmFiles,
    *,
    now: datetime,
    machine: str,
    tell: Tell,
) -> Made:
    """Make one backup.

    Args:
        farm: The farm.
        access: How its servers are reached.
        place: Where to.
        farm_files: What of this machine is kept with it.
        now: The time, for its name.
        machine: What this machine is called, in small letters and digits.
        tell: Told how far it is.

    Raises:
        BackupFailed: If it could not be made; those of before are as they were.
        BackupBroken: If what was copied did not pass the trial.
        StillupError: If a server fails or cannot be reached.
    """
    for left in names.leftovers(farm.name, machine, await place.names()):
        await place.remove(left)
    name = names.name_of(farm.name, now)
    folder = names.unfinished(name, machine)
    recipients = farm.backup.encrypt_to
    key = await age.new_key() if recipients else None
    # One more key, known to this process alone and for as long as it lives: what lies there is
    # read back and tried without the owner's key, which has no business on this machine.
    readers = (*recipients, key.recipient) if key else ()
    identity = key.identity if key else None
    with_secrets = bool(recipients) or place.is_local
    async with open_all(access, _servers(farm)) as sessions, _made(place, folder):
        copied = await _copy(farm, sessions, place, folder, readers, tell)
        kept = {**farm_files.plain, **(farm_files.secret if with_secrets else {})}
        parts = {**copied.parts, "farm": await _put(place, folder, "farm", _tar(kept), readers)}
        session = sessions.open[copied.source]
        tell(f"{copied.source} tries what lies there")
        stream = content(place, folder, parts["database"], identity)
        tried = await try_database(session, folder, stream, tell)
        _require_all(name, copied, tried)
        if copied.files is not None:
            await try_files(place, folder, parts["files"], copied.files.listing, identity)
        await try_part(place, folder, parts["farm"], identity)
        parts["tables"] = await _put(place, folder, "tables", tables_file(tried.tables), readers)
        manifest = Manifest(
            FORMAT,
            name,
            farm.name,
            now.astimezone(UTC).isoformat(timespec="seconds"),
            f"stillup {__version__}",
            bool(recipients),
            with_secrets,
            parts,
            _point(copied.source, tried),
            copied.files,
            copied.source,
        )
        async with place.writing(folder, FILE) as sink:
            await sink.write(write_manifest(manifest))
            await sink.end()
        await place.rename(folder, name)
    return Made(manifest, await _prune(farm, place), _notes(copied, with_secrets=with_secrets))


@asynccontextmanager
async def _made(place: Place, folder: str) -> AsyncIterator[None]:
    """Make a folder; what is in it goes when this does not come to its end."""
    await place.make(folder)
    try:
        yield
    except BaseException:
        # Where this fails too, or does not come to it, the next backup does it.
        with suppress(BackupFailed):
            await place.remove(folder)
        raise


async def _prune(farm: Farm, place: Place) -> tuple[str, ...]:
    gone = names.spare(farm.name, await place.names(), farm.backup.keep)
    for old in gone:
        # Its name goes first, so that a half-removed one is never taken for a whole one.
        await place.rename(old, names.going(old))
        await place.remove(names.going(old))
    return gone


def _servers(farm: Farm) -> tuple[Server, ...]:
    wanted = {Role.DATABASE, Role.WEB} if farm.site.shared else {Role.DATABASE}
    return tuple(server for server in farm.servers if server.roles & wanted)


async def _copy(
    farm: Farm, sessions: Sessions, place: Place, folder: str, readers: Sequence[str], tell: Tell
) -> _Copied:
    looks, failed = await looked(farm, sessions)
    unreached = [*(str(error) for error in sessions.unreached.values()), *failed]
    source = chosen(looks, unreached)
    session = sessions.open[source]
    tell(f"{source} gives its database ({looks[source].bytes / 1e6:.0f} MB)")
    parts: dict[str, Part] = {}
    async with writing(place, folder, "database", readers) as part:
        told = await session.download(
            "backup.database",
            {"clustered": looks[source].clustered},
            part.take,
            within_s=WITHIN_S,
        )
    parts["database"] = _same(part.part, told.get("sha256"), "the database", source)
    after = look_of(await session.request("backup.look", within_s=WITHIN_S))
    files = None
    if farm.site.shared:
        parts["files"], files = await _copy_files(farm, sessions, place, folder, readers, tell)
    return _Copied(parts, files, source, looks[source], after)


async def looked(farm: Farm, sessions: Sessions) -> tuple[dict[str, Look], list[str]]:
    """Return how each database server that answers stands, and why the others do not."""

    async def look(session: Connection) -> Look:
        return look_of(await session.request("backup.look", within_s=WITHIN_S))

    databases = [each.name for each in farm.having(Role.DATABASE) if each.name in sessions.open]
    looks, failed = await together({name: look(sessions.open[name]) for name in databases})
    return looks, [str(error) for error in failed.values()]


async def _copy_files(
    farm: Farm, sessions: Sessions, place: Place, folder: str, readers: Sequence[str], tell: Tell
) -> tuple[Part, SharedFiles]:
    web = await mounted_on(farm, sessions)
    tell(f"{web} gives the shared files")
    async with writing(place, folder, "files", readers) as part:
        told = await sessions.open[web].download(
            "backup.files",
            {"mount": farm.storage.mount, "folders": [*farm.site.shared]},
            part.take,
            within_s=WITHIN_S,
        )
    whole = _same(part.part, told.get("sha256"), "the shared files", web)
    changing = told.get("changing")
    files = SharedFiles(
        web,
        farm.site.shared,
        int(str(told.get("entries"))),
        int(str(told.get("content_bytes"))),
        str(told.get("listing")),
        len(changing) if isinstance(changing, list) else 0,
    )
    return whole, files


def _same(part: Part | None, digest: object, what: str, server: str) -> Part:
    assert part is not None
    if part.sha256 != digest:
        raise BackupFailed(f"{what} that arrived from {server} are not what it sent")
    return part


async def _put(place: Place, folder: str, name: str, data: bytes, readers: Sequence[str]) -> Part:
    async with writing(place, folder, name, readers) as part:
        await part.take(data)
    assert part.part is not None
    return part.part


def _tar(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o600
            tar.addfile(entry, io.BytesIO(data))
    return target.getvalue()


def _require_all(name: str, copied: _Copied, tried: Tried) -> None:
    if lacking := missing(copied.before.tables, copied.after.tables, tried.names):
        raise BackupBroken(f"{name} lacks tables of {copied.source}: {', '.join(lacking[:5])}")


def _point(source: str, tried: Tried) -> DatabasePoint:
    return DatabasePoint(
        source,
        tried.version,
        tried.lsn,
        tried.gtid,
        tried.galera,
        len(tried.tables),
        sum(each.rows for each in tried.tables),
    )


def _notes(copied: _Copied, *, with_secrets: bool) -> tuple[str, ...]:
    notes = []
    if not with_secrets:
        notes.append(
            "the farm's secrets are not in it: they leave this machine only encrypted "
            "(backup.encrypt_to)"
        )
    if copied.files is not None and copied.files.changing:
        notes.append(
            f"{copied.files.changing} shared files were being written each time they were read, "
            "and may be torn"
        )
    return tuple(notes)
