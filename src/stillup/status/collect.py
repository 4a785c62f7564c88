"""Looks at a farm: asks every server at once, each within a bounded time.

A server that cannot be asked is an observation. One ``Sessions`` keeps a session to each
server open between two looks, so that watching costs one round trip a look, and opens it
again when it broke.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import replace
from typing import TypeAlias

from stillup.errors import ServerUnreachable, StillupError
from stillup.model.farm import Farm, Server
from stillup.node.bundle import Facts
from stillup.node.message import JsonObject
from stillup.servers.connection import Access, Connection
from stillup.status import parse
from stillup.status.judge import askers
from stillup.status.observed import Asked, Observed, Reached, Seen, Unreached
from stillup.status.picture import claims

WITHIN_S = 5.0
"""How long one server may take for one look, the opening of its session included."""
ASK_WITHIN_S = 3
"""How long a real request may take before it counts as unanswered."""

Wanted: TypeAlias = Callable[[Server, Facts], str]
"""Returns the fingerprint of a server's bundle as the farm file asks for it."""


async def collect(
    farm: Farm, access: Access, *, wanted: Wanted | None = None, within_s: float = WITHIN_S
) -> Observed:
    """Look once, and close every session again.

    Args:
        farm: The farm.
        access: The way to its servers.
        wanted: What each server should have, where that is known; see ``Reached.wanted``.
        within_s: How long one server may take.
    """
    sessions = Sessions(farm, access, wanted)
    try:
        return await sessions.look(within_s=within_s)
    finally:
        await sessions.close()


async def watch(
    farm: Farm,
    access: Access,
    *,
    every_s: float,
    wanted: Wanted | None = None,
    within_s: float = WITHIN_S,
) -> AsyncGenerator[Observed, None]:
    """Look again and again, ``every_s`` seconds from look to look, sessions kept open.

    A look that takes longer than ``every_s`` (a server just died) is followed by the next
    one at once. Cancelling it closes the sessions.
    """
    sessions = Sessions(farm, access, wanted)
    try:
        while True:
            began_s = time.monotonic()
            yield await sessions.look(within_s=within_s)
            await asyncio.sleep(max(0.0, began_s + every_s - time.monotonic()))
    finally:
        await sessions.close()


class Sessions:
    """One session to each server, opened when first needed and again after it broke."""

    def __init__(self, farm: Farm, access: Access, wanted: Wanted | None = None) -> None:
        self._farm = farm
        self._wanted = wanted
        self._fingerprints: dict[str, str] = {}
        self._access = access
        self._open: dict[str, Connection] = {}
        self._under_way: dict[str, asyncio.Task[Seen]] = {}
        self._lost: dict[str, Seen] = {}

    async def look(self, *, within_s: float = WITHIN_S) -> Observed:
        """Ask every server for its state, then some of them for a real request.

        Servers that both claim a virtual IP are asked a second time: the answers of one
        look are some milliseconds apart, in which the address may have moved.

        A server that was lost at the last look is not waited for, so that one dead server
        does not make every look of a watch slow: it is tried again beside the looks, and
        is back in the first look after the try succeeded.
        """
        at_s = time.time()
        seen = await self._states(self._farm.servers, within_s)
        observed = self._observed(at_s, seen)
        again = self._claimants(observed)
        if again:
            seen |= await self._states(again, within_s)
            observed = self._observed(at_s, seen)
        return self._observed(at_s, seen, await self._ask(observed))

    async def close(self) -> None:
        """End every session, and every try to open one."""
        tries = list(self._under_way.values())
        for one in tries:
            one.cancel()
        await asyncio.gather(*tries, return_exceptions=True)
        sessions, self._open = list(self._open.values()), {}
        await asyncio.gather(*(self._end(session) for session in sessions))

    def _observed(
        self, at_s: float, seen: dict[str, Seen], asked: tuple[Asked, ...] = ()
    ) -> Observed:
        return Observed(at_s, tuple(seen[server.name] for server in self._farm.servers), asked)

    def _claimants(self, observed: Observed) -> list[Server]:
        for address in map(str, self._farm.vip.addresses):
            names = claims(self._farm, observed, address)
            if len(names) > 1:
                return [server for server in self._farm.servers if server.name in names]
        return []

    async def _states(self, servers: Iterable[Server], within_s: float) -> dict[str, Seen]:
        tries = {server.name: self._try(server, within_s) for server in servers}
        waited_for = [one for name, one in tries.items() if name not in self._lost]
        if waited_for:
            await asyncio.wait(waited_for)
        seen = {name: self._result(name, one) for name, one in tries.items()}
        self._lost = self._lost | {n: s for n, s in seen.items() if isinstance(s, Unreached)}
        return seen

    def _try(self, server: Server, within_s: float) -> "asyncio.Task[Seen]":
        # Held here until its result is taken, and cancelled by close().
        if server.name not in self._under_way:
            self._under_way[server.name] = asyncio.create_task(self._state(server, within_s))
        return self._under_way[server.name]

    def _result(self, name: str, one: "asyncio.Task[Seen]") -> Seen:
        if not one.done():
            return self._lost[name]
        del self._under_way[name]
        self._lost.pop(name, None)
        return one.result()

    async def _state(self, server: Server, within_s: float) -> Seen:
        try:
            async with asyncio.timeout(within_s):
                return await self._told(server)
        except TimeoutError:
            await self._drop(server.name)
            return Unreached(
                server.name, f"no answer within {within_s:g} s", ServerUnreachable.code
            )
        except StillupError as error:
            await self._drop(server.name)
            return Unreached(server.name, str(error), error.code)

    async def _told(self, server: Server) -> Reached:
        session = await self._session(server)
        asked_at_s, began_s = time.time(), time.monotonic()
        answer = await session.request("state")
        took_s = time.monotonic() - began_s
        reached = parse.reached(server.name, answer, asked_at_s=asked_at_s, took_s=took_s)
        return replace(reached, wanted=await self._fingerprint(session))

    async def _fingerprint(self, session: Connection) -> str | None:
        """Return the fingerprint of what the server should have; worked out once a watch."""
        server = session.server
        if self._wanted is not None and server.name not in self._fingerprints:
            answer = await session.request("facts", {"address": str(server.address)})
            facts = parse.facts(server.name, answer)
            self._fingerprints[server.name] = self._wanted(server, facts)
        return self._fingerprints.get(server.name)

    async def _session(self, server: Server) -> Connection:
        # Only one task at a time works on a server, so nothing can come in between.
        if server.name not in self._open:
            self._open[server.name] = await self._access.connect(server)
        return self._open[server.name]

    async def _ask(self, observed: Observed) -> tuple[Asked, ...]:
        names = askers(self._farm, observed)
        asked = await asyncio.gather(*(self._requests(name) for name in names))
        return tuple(one for many in asked for one in many)

    async def _requests(self, name: str) -> list[Asked]:
        asked = []
        for url in urls(self._farm):
            arguments: JsonObject = {
                "url": url,
                "host": self._farm.site.hosts[0],
                "within_s": ASK_WITHIN_S,
            }
            try:
                async with asyncio.timeout(ASK_WITHIN_S + 1):
                    answer = await self._open[name].request("ask", arguments)
                asked.append(parse.asked(name, url, answer, at_s=time.time()))
            except (TimeoutError, StillupError):
                # The asker itself was lost, which says nothing of the address. The next
                # look reports it as unreached.
                await self._drop(name)
                break
        return asked

    async def _drop(self, name: str) -> None:
        session = self._open.pop(name, None)
        if session is not None:
            await self._end(session)

    async def _end(self, session: Connection) -> None:
        try:
            async with asyncio.timeout(1.0):
                await session.close()
        except (TimeoutError, StillupError):
            pass  # It is gone either way; the server lets go of what it held.


def urls(farm: Farm) -> list[str]:
    """Return what is asked for: the site's health page, by every way users come."""
    # In a URL, an IPv6 address stands in brackets (RFC 3986 section 3.2.2).
    addresses = [f"[{vip}]" if vip.version == 6 else str(vip) for vip in farm.vip.addresses]
    schemes = ["http", "https"] if farm.tls.enabled else ["http"]
    return [f"{s}://{address}{farm.balancer.check}" for address in addresses for s in schemes]
