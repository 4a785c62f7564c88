"""A backup put back: the database on one database server, the shared files through a web server.

Everything is brought and prepared beside what serves; then MariaDB stops, the folders are exchanged,
and MariaDB starts. Interrupted anywhere and run again it goes on: each database server keeps how far
it is, and what was there before goes only at the end. Where several servers keep the database, the first
of the farm file founds their group anew with the backup and the others get their copy from it.

What a web server's pages need beyond that (accounts, passwords, the site's own release) is what ``apply``
brings; the command runs it afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass

from stillup.backup.kept import require_key
from stillup.backup.make import looked
from stillup.backup.manifest import Manifest
from stillup.backup.mounted import mounted_on
from stillup.backup.parts import content
from stillup.backup.place import Place
from stillup.deploy.session import Sessions, lock_all, open_all, raise_all
from stillup.errors import ChangeRefused, ServerFailed
from stillup.model.farm import Farm, Role
from stillup.node.message import JsonObject
from stillup.servers.connection import Access, Connection

Tell = Callable[[str], None]
BEGUN = ("leaving", "entering", "swapped")
"""From here on the farm's own data are out of the way already."""
START_WITHIN_S = 1000.0
WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back, and where."""

    database: str
    files: str | None


async def restore(
    farm: Farm,
    access: Access,
    place: Place,
    manifest: Manifest,
    identity: bytes | None,
    *,
    replace: bool,
    tell: Tell,
) -> Restored:
    """Put a backup back.

    Args:
        farm: The farm; ``apply`` has made its servers ready.
        access: How they are reached.
        place: Where the backup lies.
        manifest: The backup.
        identity: The key that opens it, where it is encrypted.
        replace: Whether what the farm holds may be lost.
        tell: Told how far it is.

    Raises:
        ChangeRefused: If the farm holds data that may not be replaced, or others change it now, or
            the backup lacks a shared folder; the farm is as it was.
        BackupBroken: If the backup is not what was written; the farm is as it was.
        ServerFailed: If MariaDB does not start on it; where one server keeps the database, what
            was there before serves again; or if no web server has the shared storage mounted.
        ServerUnreachable: If a server it needs is away.
    """
    require_key(manifest, identity)
    has_files = manifest.files is not None and bool(farm.site.shared)
    wanted = {Role.DATABASE, Role.WEB} if has_files else {Role.DATABASE}
    servers = tuple(server for server in farm.servers if server.roles & wanted)
    async with open_all(access, servers) as sessions:
        databases = tuple(server.name for server in farm.having(Role.DATABASE))
        raise_all(error for name, error in sessions.unreached.items() if name in databases)
        web = await mounted_on(farm, sessions) if has_files else None
        await lock_all(sessions, what="restore")
        stage = await _stage(sessions.open[databases[0]], manifest)
        if not (stage in BEGUN or replace):
            await _require_empty(farm, sessions, web)
        work = _Work(sessions, databases, place, manifest, identity, tell)
        if web is not None:
            await work.bring_files(web, farm)
        if stage == "coming back":
            await work.take_back()
        if stage not in {"ready", *BEGUN}:
            await work.bring_database()
        await work.exchange_database()
        if web is not None:
            await work.place_files(web, farm)
        await sessions.ask(lambda session: session.request("restore.end"), databases)
    return Restored(databases[0], web)


async def _stage(session: Connection, manifest: Manifest) -> str:
    """Return how far an interrupted restore of this very backup came."""
    told = await session.request("restore.state")
    return str(told.get("stage")) if told.get("backup") == manifest.name else ""


async def _require_empty(farm: Farm, sessions: Sessions, web: str | None) -> None:
    looks, _ = await looked(farm, sessions)
    full = [
        f"{name} holds {look.filled} tables with rows"
        for name, look in looks.items()
        if look.filled
    ]
    if web is not None:
        told = await sessions.open[web].request("restore.filled", _folders(farm))
        if count := int(str(told.get("files", 0))):
            full.append(f"{web} sees {count} shared files")
    if full:
        raise ChangeRefused(
            f"the farm {farm.name} is not empty: {'; '.join(full)}; --replace puts the backup in "
            "their place"
        )


def _folders(farm: Farm) -> JsonObject:
    return {"mount": farm.storage.mount, "folders": [*farm.site.shared]}


@dataclass(frozen=True)
class _Work:
    sessions: Sessions
    databases: tuple[str, ...]
    place: Place
    manifest: Manifest
    identity: bytes | None
    tell: Tell

    @property
    def _group(self) -> JsonObject:
        return {"group": len(self.databases) > 1}

    async def bring_database(self) -> None:
        first = self.databases[0]
        self.tell(f"{first} gets the database and prepares it")
        part = self.manifest.parts["database"]
        await self.sessions.open[first].upload(
            "restore.take",
            {"backup": self.manifest.name, "sha256": part.sha256},
            content(self.place, self.manifest.name, part, self.identity),
            within_s=WITHIN_S,
        )

    async def exchange_database(self) -> None:
        first, *others = self.databases
        self.tell(f"MariaDB stops on {', '.join(self.databases)}")
        await self._ask("restore.stop", self._group, self.databases)
        swap: JsonObject = {"backup": self.manifest.name, **self._group}
        await self._ask("restore.swap", swap, (first,))
        await self._ask("restore.empty", {"backup": self.manifest.name}, others)
        self.tell(f"MariaDB starts on {first}")
        try:
            await self._ask("restore.start", self._group, (first,))
        except ServerFailed as error:
            if others:
                raise
            await self.take_back()
            raise ServerFailed(f"{error}; what was there before serves again") from error
        if others:
            self.tell(f"{', '.join(others)} get their copies")
            await self._ask("restore.start", self._group, others)

    async def take_back(self) -> None:
        """Have one database server serve again what it did before."""
        first = self.databases[:1]
        await self._ask("restore.stop", self._group, first)
        await self._ask("restore.undo", {}, first)
        await self._ask("restore.start", self._group, first)

    async def _ask(
        self, operation: str, arguments: JsonObject, names: tuple[str, ...] | list[str]
    ) -> None:
        await self.sessions.ask(
            lambda session: session.request(operation, arguments, within_s=START_WITHIN_S), names
        )

    async def bring_files(self, web: str, farm: Farm) -> None:
        assert self.manifest.files is not None
        self.tell(f"{web} gets the shared files")
        part = self.manifest.parts["files"]
        await self.sessions.open[web].upload(
            "restore.files",
            {**_folders(farm), "listing": self.manifest.files.listing},
            content(self.place, self.manifest.name, part, self.identity),
            within_s=WITHIN_S,
        )

    async def place_files(self, web: str, farm: Farm) -> None:
        self.tell(f"{web} puts the shared files in place")
        await self.sessions.open[web].request(
            "restore.place", _folders(farm), within_s=START_WITHIN_S
        )
