"""The site's new version to every web server at once, or back to the one before.

First every web server gets it, then all switch: one that fails before the switch keeps them
all as they were; one that fails at the switch takes the others back. Run again after an
interruption, it does what is left.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stillup.deploy.events import Told
from stillup.deploy.package import Package, pack
from stillup.deploy.session import Sessions, lock_all, open_all, part_of_state, raise_all, together
from stillup.deploy.upload import Releases, aim, listed, switch, upload
from stillup.errors import ChangeRefused, ChangeTakenBack
from stillup.model.farm import Farm, Role
from stillup.servers.connection import Access, Connection

Tell = Callable[[Told], None]


@dataclass(frozen=True, slots=True)
class Released:
    """What a release came to. ``switched`` is empty when all served it already."""

    release: str
    switched: tuple[str, ...]
    skipped: tuple[str, ...]
    """Web servers that ``apply`` has yet to make ready."""


async def release(farm: Farm, access: Access, source: Path, *, tell: Tell) -> Released:
    """Release the folder ``source`` to all web servers.

    Raises:
        InputRefused: If the folder is missing, empty, or holds what cannot be released.
        ServerUnreachable: If a web server could not be reached; all serve what they served.
        ChangeRefused: If somebody else changes the farm right now.
        ServerFailed: If a web server could not take it; all serve what they served.
        ChangeTakenBack: If one could not switch; the others are back at what they served.
    """
    with await asyncio.to_thread(pack, source) as package:
        return await _release(farm, access, package, tell)


async def _release(farm: Farm, access: Access, package: Package, tell: Tell) -> Released:
    async with _web_servers(farm, access) as (sessions, ready):
        has = await sessions.ask(listed, ready)
        missing = [name for name in ready if package.release not in has[name].all]

        async def bring(session: Connection) -> None:
            tell(Told(session.server.name, f"gets release {package.release}"))
            await upload(session, package)

        await sessions.ask(bring, missing)
        switched = await _switch_all(sessions, has, package.release)
        await _arrived(sessions, has)
        skipped = tuple(name for name in sessions.open if name not in ready)
    return Released(package.release, switched, skipped)


async def back(farm: Farm, access: Access, to: str | None = None) -> Released:
    """Serve the previous release on all web servers, or the release ``to`` that all still have.

    Interrupted and called again without ``to``, it goes on to where it was going.

    Raises:
        ChangeRefused: If they have no common one to go back to; as ``release`` otherwise.
    """
    async with _web_servers(farm, access) as (sessions, ready):
        has = await sessions.ask(listed, ready)
        target = to or _interrupted_aim(has) or _common_previous(has)
        lacking = [name for name in ready if target not in has[name].all]
        if lacking:
            common = set.intersection(*(set(releases.all) for releases in has.values()))
            raise ChangeRefused(
                f"{', '.join(lacking)} has no release {target}; all of them still have: "
                f"{', '.join(sorted(common)) or 'none'}"
            )
        if to is None:
            await sessions.ask(lambda session: aim(session, target), ready)
            has = {name: replace(releases, aim=target) for name, releases in has.items()}
        try:
            switched = await _switch_all(sessions, has, target)
        finally:
            # Also when it was taken back: the next one is a new wish.
            await _arrived(sessions, has)
        skipped = tuple(name for name in sessions.open if name not in ready)
    return Released(target, switched, skipped)


@asynccontextmanager
async def _web_servers(
    farm: Farm, access: Access
) -> AsyncIterator[tuple[Sessions, tuple[str, ...]]]:
    """Open and lock all web servers; yield the sessions and those that ``apply`` made ready."""
    async with open_all(access, farm.having(Role.WEB)) as sessions:
        raise_all(sessions.unreached.values())
        await lock_all(sessions, what="release")
        applied = await sessions.ask(lambda session: part_of_state(session, "manifest"))
        ready = tuple(name for name, manifest in applied.items() if manifest is not None)
        if not ready:
            raise ChangeRefused("no web server is set up yet; `stillup apply` does it")
        yield sessions, ready


async def _arrived(sessions: Sessions, has: Mapping[str, Releases]) -> None:
    """Forget on every server where a way back was going to."""
    aiming = [name for name, releases in has.items() if releases.aim is not None]
    if aiming:
        await sessions.ask(lambda session: aim(session, None), aiming)


def _interrupted_aim(has: Mapping[str, Releases]) -> str | None:
    aims = {releases.aim for releases in has.values()} - {None}
    return aims.pop() if len(aims) == 1 else None


def _common_previous(has: Mapping[str, Releases]) -> str:
    pairs = {(releases.current, releases.previous) for releases in has.values()}
    if len(pairs) != 1:
        serving = "; ".join(
            f"{name} serves {releases.current}, before {releases.previous}"
            for name, releases in has.items()
        )
        raise ChangeRefused(
            f"the web servers do not stand alike, as after an interrupted release ({serving}); "
            "`stillup release --to RELEASE` brings one to all"
        )
    previous = pairs.pop()[1]
    if previous is None:
        raise ChangeRefused("there is no release before this one to go back to")
    return previous


async def _switch_all(
    sessions: Sessions, has: Mapping[str, Releases], target: str
) -> tuple[str, ...]:
    due = [name for name in has if has[name].current != target]
    done, failed = await together({name: switch(sessions.open[name], target) for name in due})
    if not failed:
        return tuple(done)
    # A server that says it failed may have switched before it did.
    undo = {
        name: switch(sessions.open[name], before)
        for name in due
        if (before := has[name].current) is not None
    }
    _, stuck = await together(undo)
    sentences = "\n".join(str(error) for error in failed.values())
    if any(name in done for name in stuck):
        left = ", ".join(name for name in stuck if name in done)
        raise ChangeTakenBack(f"{sentences}\n{left} could not be taken back; release again")
    raise ChangeTakenBack(f"{sentences}\nthe others serve again what they served before")
