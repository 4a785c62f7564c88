"""A drill's pages on the farm's web servers: brought there, begun, removed; and what was kept.

The pages are those of ``stillup/node/drill_probe.php``; a user reaches them by ``path``. They remove
themselves when their time is up, whatever becomes of us; asking for them again puts that off.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from stillup.deploy.session import Sessions
from stillup.drill.history import Copies, Kind
from stillup.drill.workload.settings import path
from stillup.errors import ServerFailed, ServerUnreachable, StillupError
from stillup.keeper.storage_settings import BRICK
from stillup.model.farm import Farm, Role, Server
from stillup.node.message import Json, JsonObject
from stillup.parts import nfs
from stillup.servers.connection import Connection

ASKED_WITHIN_S = 10
REMOVED_WITHIN_S = 600.0
KEPT_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Probes:
    """The pages of one drill.

    ``token``: 32 hexadecimal digits that nobody can guess, as of ``secrets.token_hex(16)``.
    """

    farm: Farm
    token: str

    @property
    def path(self) -> str:
        """Where the pages are, below the site's address."""
        return path(self.token)

    @property
    def shares(self) -> bool:
        """Whether the farm has shared folders, so that there is somewhere to put files."""
        return bool(self.farm.site.shared)

    async def install(self, sessions: Sessions, seconds: int) -> None:
        """Have the pages there for so long from now on, and ready; or leave none.

        The first web server comes before the others, so that of two who begin at once one gets all.

        Raises:
            ChangeRefused: If another drill is under way, or the farm file is not applied.
            ServerUnreachable, ServerFailed: If a web server could not be asked, or a page does not work.
        """
        self._require_all(sessions)
        try:
            await self.put_off(sessions, seconds)
            first = self.farm.having(Role.WEB)[0].name
            token: JsonObject = {"token": self.token}
            await sessions.ask(
                lambda session: session.request("drill.begin", token, within_s=90.0), [first]
            )
            await sessions.ask(self._require_answer, self._webs)
        except BaseException:
            await self._remove_where_reached(sessions)
            raise

    async def put_off(self, sessions: Sessions, seconds: int) -> None:
        """Have the pages there for so long from now on, wherever a web server is reached.

        Raises:
            StillupError: As ``install``, when all others were asked.
        """
        arguments: dict[str, Json] = {"token": self.token, "seconds": seconds}
        arguments["shared"] = _seen_by_webs(self.farm)
        webs = [name for name in self._webs if name in sessions.open]
        for names in (webs[:1], webs[1:]):
            await sessions.ask(lambda session: session.request("drill.install", arguments), names)
        self._require_all(sessions)

    async def remove(self, sessions: Sessions) -> None:
        """Remove pages, table and files; what cannot be now is removed by the servers' own timers.

        Raises:
            ServerFailed: If something is left for the timers.
        """
        webs = [name for name in self._webs if name in sessions.open]
        # The first one has all the work; the others find it done.
        for names in (webs[:1], webs[1:]):
            await sessions.ask(self._remove, names)

    async def kept(self, sessions: Sessions) -> tuple[Copies, ...]:
        """Ask every keeper of data which numbers it has itself; one that is not reached is left out.

        Raises:
            ServerFailed: If one that is reached cannot tell.
        """
        asked = [(Kind.ROW, self.farm.having(Role.DATABASE))]
        if self.shares:
            asked.append((Kind.FILE, self.farm.having(Role.STORAGE)))
        found: list[Copies] = []
        for kind, servers in asked:
            question: JsonObject = {"token": self.token, "kind": kind.value}
            question |= (
                {"database": self.farm.database.name}
                if kind is Kind.ROW
                else {"folder": _on_disk(self.farm)}
            )
            told = await self._ask_kept(sessions, question, servers)
            found += [Copies(name, kind, numbers) for name, numbers in told.items()]
        return tuple(found)

    @property
    def _webs(self) -> list[str]:
        return [server.name for server in self.farm.having(Role.WEB)]

    def _require_all(self, sessions: Sessions) -> None:
        for name in self._webs:
            if name not in sessions.open:
                raise sessions.unreached.get(name) or ServerUnreachable(f"{name} was not asked")

    async def _require_answer(self, session: Connection) -> None:
        url = f"http://{session.server.address}{self.path}page"
        question: JsonObject = {"url": url, "within_s": ASKED_WITHIN_S}
        question["host"] = self.farm.site.hosts[0]
        told = await session.request("ask", question)
        if told.get("status") != 200:
            why = told.get("error") or f"status {told.get('status')}"
            raise ServerFailed(f"{session.server.name}: the drill's page does not answer: {why}")

    async def _remove(self, session: Connection) -> None:
        await session.request("drill.remove", {"token": self.token}, within_s=REMOVED_WITHIN_S)

    async def _remove_where_reached(self, sessions: Sessions) -> None:
        # Why it could not be removed is less than why it could not be installed.
        try:
            await self.remove(sessions)
        except StillupError:
            return

    async def _ask_kept(
        self, sessions: Sessions, question: JsonObject, servers: Iterable[Server]
    ) -> dict[str, frozenset[int]]:
        names = [server.name for server in servers if server.name in sessions.open]
        told = await sessions.ask(
            lambda session: session.request("drill.kept", question, within_s=KEPT_WITHIN_S), names
        )
        return {name: numbers_of(answer.get("spans")) for name, answer in told.items()}


def numbers_of(spans: Json) -> frozenset[int]:
    """Return the numbers of ``[[first, last], ...]``.

    Raises:
        ServerFailed: If it is something else.
    """
    numbers: set[int] = set()
    for span in spans if isinstance(spans, list) else [None]:
        match span:
            case [int(first), int(last)]:
                numbers.update(range(first, last + 1))
            case _:
                raise ServerFailed("a keeper of data tells its numbers in no known way")
    return frozenset(numbers)


def _seen_by_webs(farm: Farm) -> str | None:
    """Return the folder that the numbered files go below, as web servers see it."""
    if not farm.site.shared:
        return None
    if farm.site.shared == nfs.WHOLE:
        return nfs.pages_folder(farm)
    return f"{farm.storage.mount}/{farm.site.shared[0]}"


def _on_disk(farm: Farm) -> str:
    """Return the same folder as its keepers have it on their own disks."""
    seen = _seen_by_webs(farm) or ""
    own = nfs.EXPORT if nfs.is_only(farm) else BRICK
    return own + seen.removeprefix(farm.storage.mount)
