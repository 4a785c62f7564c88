"""Taking a web server out of use at every balancer, losing nothing, and putting it back."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from stillup.deploy.events import Told
from stillup.deploy.session import Sessions, lock_all, open_all, part_of_state, raise_all, until
from stillup.deploy.standing import BY_USER, Backend, backends
from stillup.errors import ChangeRefused, InputRefused, ServerFailed
from stillup.model.farm import Farm, Role
from stillup.node.message import JsonObject
from stillup.servers.connection import Access, Connection

SESSIONS_END_WITHIN_S = 60.0
UP_WITHIN_S = 30.0

Tell = Callable[[Told], None]


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain came to."""

    web: str
    at: tuple[str, ...]
    sessions: int
    """How many sessions are still open on it after the wait."""


async def drain(
    farm: Farm, access: Access, web: str, *, force: bool = False, tell: Tell
) -> Drained:
    """Send ``web`` no new users at any balancer, and wait a while for its sessions to end.

    Raises:
        InputRefused: If there is no such web server.
        ChangeRefused: If it is the last one that serves (``force`` overrides), or somebody
            else changes the farm right now.
        ServerUnreachable: If a balancer could not be reached (``force`` overrides).
        ServerFailed: If a balancer's HAProxy does not answer.
    """
    _require_web(farm, web)
    async with _balancers(farm, access, force=force, tell=tell) as sessions:
        if not force:
            _require_another((await sessions.ask(_views)), web)
        left: dict[str, int] = {}

        async def empty() -> bool:
            left.update(await sessions.ask(_setting(web, drained=True)))
            return not any(left.values())

        await until(empty, within_s=SESSIONS_END_WITHIN_S)
        return Drained(web, tuple(sessions.open), sum(left.values()))


async def undrain(
    farm: Farm, access: Access, web: str, *, force: bool = False, tell: Tell
) -> Drained:
    """Send ``web`` users again at every balancer, and wait until each sees it up.

    Raises:
        ServerFailed: If a balancer does not see it up in time; it is undrained all the same.
        Others: As ``drain``.
    """
    _require_web(farm, web)
    async with _balancers(farm, access, force=force, tell=tell) as sessions:
        left = await sessions.ask(_setting(web, drained=False))
        missing: list[str] = []

        async def up() -> bool:
            seen = await sessions.ask(_views)
            missing[:] = [
                balancer for balancer, views in seen.items() if not (web in views and views[web].up)
            ]
            return not missing

        if not await until(up, within_s=UP_WITHIN_S):
            raise ServerFailed(
                f"{web} is undrained, but {', '.join(missing)} does not see it up after "
                f"{UP_WITHIN_S:g} s; `stillup status` says why"
            )
        return Drained(web, tuple(sessions.open), sum(left.values()))


def _require_web(farm: Farm, web: str) -> None:
    webs = [server.name for server in farm.having(Role.WEB)]
    if web not in webs:
        raise InputRefused(f"{web} is no web server of this farm; these are: {', '.join(webs)}")


@asynccontextmanager
async def _balancers(
    farm: Farm, access: Access, *, force: bool, tell: Tell
) -> AsyncIterator[Sessions]:
    """Open and lock every balancer."""
    async with open_all(access, farm.having(Role.BALANCER)) as sessions:
        if not (force and sessions.open):
            raise_all(sessions.unreached.values())
        for name, error in sessions.unreached.items():
            tell(Told(name, f"is left out: {error}"))
        await lock_all(sessions, what="drain")
        yield sessions


def _require_another(views: Mapping[str, Mapping[str, Backend]], web: str) -> None:
    for balancer, seen in views.items():
        if not any(view.up and not view.drained_by for name, view in seen.items() if name != web):
            raise ChangeRefused(
                f"{web} is the last web server that {balancer} finds well, so it was left "
                "in use; --force drains it all the same"
            )


def _setting(web: str, *, drained: bool) -> Callable[[Connection], Awaitable[int]]:
    async def ask(session: Connection) -> int:
        arguments: JsonObject = {"server": web, "drain": drained, "by": BY_USER}
        sessions = (await session.request("drain", arguments)).get("sessions")
        return sessions if isinstance(sessions, int) else 0

    return ask


async def _views(session: Connection) -> Mapping[str, Backend]:
    seen = backends(await part_of_state(session, "haproxy"))
    if seen is None:
        raise ServerFailed(f"{session.server.name}: its HAProxy does not answer")
    return seen
