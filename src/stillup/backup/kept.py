"""The backups there are, and one of them found and tried again."""

from collections.abc import Callable
from dataclasses import dataclass

from stillup.backup import names
from stillup.backup.make import looked
from stillup.backup.manifest import FILE, MOST_BYTES, Manifest, read_manifest
from stillup.backup.parts import content
from stillup.backup.place import Place
from stillup.backup.source import chosen
from stillup.backup.trial import require_same, try_database, try_files, try_part
from stillup.deploy.session import open_all
from stillup.errors import BackupBroken, BackupFailed, InputRefused
from stillup.model.farm import Farm, Role
from stillup.servers.connection import Access

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Listed:
    """The farm's backups, oldest first, and what is wrong with those that are none."""

    backups: tuple[Manifest, ...]
    broken: tuple[str, ...]


async def listed(farm: Farm, place: Place) -> Listed:
    """Return the farm's backups."""
    found, broken = [], []
    for name in sorted(name for name in await place.names() if names.is_of(farm.name, name)):
        try:
            found.append(await manifest_of(place, name))
        except BackupBroken as error:
            broken.append(str(error))
    return Listed(tuple(found), tuple(broken))


async def manifest_of(place: Place, name: str) -> Manifest:
    """Return a backup's manifest.

    Raises:
        BackupBroken: If there is none, or it is not what was written.
    """
    data = b""
    try:
        async for piece in place.reading(name, FILE):
            data += piece
            if len(data) > MOST_BYTES:
                break
    except BackupFailed as error:
        raise BackupBroken(f"{name} has no {FILE}, so it is no backup") from error
    return read_manifest(data, name)


async def found(farm: Farm | None, place: Place, which: str) -> Manifest:
    """Return the backup of that name, or the newest for ``latest``; of any farm for None.

    Raises:
        InputRefused: If there is none.
        BackupBroken: If it is not what was written.
    """
    known = sorted(
        (name for name in await place.names() if names.is_of(farm.name if farm else None, name)),
        key=lambda name: name.split("-")[-2:],
    )
    if not known:
        raise InputRefused("there is no backup of this farm in that place")
    if which == "latest":
        return await manifest_of(place, known[-1])
    if which not in known:
        raise InputRefused(f"there is no backup {which}; the newest is {known[-1]}")
    return await manifest_of(place, which)


async def verify(
    farm: Farm,
    access: Access,
    place: Place,
    manifest: Manifest,
    identity: bytes | None,
    *,
    tell: Tell,
) -> str:
    """Try a backup anew, all of it; return the server that its database was started on.

    Raises:
        BackupBroken: If it could not be restored.
        StillupError: If a server or the place fails.
    """
    require_key(manifest, identity)
    async with open_all(access, farm.having(Role.DATABASE)) as sessions:
        looks, failed = await looked(farm, sessions)
        unreached = [*(str(error) for error in sessions.unreached.values()), *failed]
        server = chosen(looks, unreached)
        tell(f"{server} tries the database of {manifest.name}")
        stream = content(place, manifest.name, manifest.parts["database"], identity)
        tried = await try_database(sessions.open[server], manifest.name, stream, tell)
    if tried.lsn != manifest.database.lsn:
        raise BackupBroken(f"{manifest.name}: its database does not stand where it did")
    await require_same(place, manifest, tried, identity)
    await try_part(place, manifest.name, manifest.parts["farm"], identity)
    if manifest.files is not None:
        tell("reads the shared files")
        part = manifest.parts["files"]
        await try_files(place, manifest.name, part, manifest.files.listing, identity)
    return server


def require_key(manifest: Manifest, identity: bytes | None) -> None:
    """Require the key of an encrypted backup.

    Raises:
        InputRefused: If there is none.
    """
    if manifest.encrypted and identity is None:
        raise InputRefused(
            f"{manifest.name} is encrypted; --identity FILE names the key of age that opens it"
        )
