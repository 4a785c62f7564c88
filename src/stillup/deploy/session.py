"""Sessions to many servers at once: opened, locked, asked and closed together."""

import asyncio
import getpass
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from stillup.errors import StillupError
from stillup.model.farm import Server
from stillup.node.message import Json
from stillup.servers.connection import Access, Connection

T = TypeVar("T")

LOOK_EVERY_S = 0.2


@dataclass(frozen=True)
class Sessions:
    """The open sessions by server name, in the farm file's order, and who did not answer."""

    open: Mapping[str, Connection]
    unreached: Mapping[str, StillupError] = field(default_factory=dict)

    async def ask(
        self, ask: Callable[[Connection], Awaitable[T]], names: Iterable[str] | None = None
    ) -> dict[str, T]:
        """Ask several servers at once, all of them if no ``names`` are given.

        Raises:
            StillupError: If any failed, when every one has answered: the first one's class,
                with all their sentences, one a line.
        """
        chosen = list(self.open) if names is None else list(names)
        done, failed = await together({name: ask(self.open[name]) for name in chosen})
        raise_all(failed.values())
        return done


@asynccontextmanager
async def open_all(access: Access, servers: Iterable[Server]) -> AsyncIterator[Sessions]:
    """Open a session to each server at once; close them all at the end.

    Servers that cannot be reached are in ``Sessions.unreached``: what that means is the
    caller's to say.
    """
    servers = list(servers)
    found: dict[str, Connection] = {}
    try:
        failed = await _connect(access, servers, found)
        names = [server.name for server in servers]
        yield Sessions(
            {name: found[name] for name in names if name in found},
            {name: failed[name] for name in names if name in failed},
        )
    finally:
        # Not shielded: a second Ctrl-C ends the wait, and a dead session is as good as closed.
        await together({name: connection.close() for name, connection in found.items()})


async def lock_all(sessions: Sessions, *, what: str) -> None:
    """Take every server's lock, the first server's before the others'.

    Two who begin at once meet at the first server, so one of them gets all and the other
    none. The locks go with the sessions.

    Raises:
        ChangeRefused: If somebody else has one; the text names whom.
    """
    owner = f"{what} by {getpass.getuser()}@{socket.gethostname()} (process {os.getpid()})"
    names = list(sessions.open)
    for some in (names[:1], names[1:]):
        await sessions.ask(lambda session: session.request("lock", {"owner": owner}), some)


async def pause(seconds: float) -> None:
    """Let so much time pass: what is waited for is the time itself."""
    await asyncio.sleep(seconds)


async def part_of_state(session: Connection, part: str) -> Json:
    """Return one part of how a server stands; it looks at nothing else for that.

    Args:
        session: The server.
        part: One of ``stillup.node.state.PARTS``.
    """
    return (await session.request("state", {"parts": [part]})).get(part)


async def until(
    is_so: Callable[[], Awaitable[bool]], *, within_s: float, every_s: float = LOOK_EVERY_S
) -> bool:
    """Ask until it is so, and tell whether it came to be in time.

    What happens at the other end of a session sends us no event, so it is asked for again.
    """
    ends_s = time.monotonic() + within_s
    while not await is_so():
        if time.monotonic() > ends_s:
            return False
        await asyncio.sleep(every_s)
    return True


async def together(
    jobs: Mapping[str, Awaitable[T]],
) -> tuple[dict[str, T], dict[str, StillupError]]:
    """Await all at once; return results and foreseen failures by name, in the given order.

    Every job runs to its end, so that one server's failure leaves no other half asked.
    """
    done: dict[str, T] = {}
    failed: dict[str, StillupError] = {}

    async def run(name: str, job: Awaitable[T]) -> None:
        try:
            done[name] = await job
        except StillupError as error:
            failed[name] = error

    async with asyncio.TaskGroup() as group:
        for name, job in jobs.items():
            group.create_task(run(name, job))
    return (
        {name: done[name] for name in jobs if name in done},
        {name: failed[name] for name in jobs if name in failed},
    )


def raise_all(failures: Iterable[StillupError]) -> None:
    """Raise the failures as one error of the first one's class; nothing for none."""
    failures = list(failures)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise type(failures[0])("\n".join(str(failure) for failure in failures))


async def _connect(
    access: Access, servers: Iterable[Server], found: dict[str, Connection]
) -> dict[str, StillupError]:
    """Fill ``found`` as sessions open, so that a caller who is cancelled can close them."""

    async def connect(server: Server) -> None:
        found[server.name] = await access.connect(server)

    _, failed = await together({server.name: connect(server) for server in servers})
    return failed
