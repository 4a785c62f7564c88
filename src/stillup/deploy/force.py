"""Letting a balancer hold the virtual IP although too few servers are left to vote.

For a person who knows that the others are dead, and names them (``heartbeat/force.py``). Only that
balancer is asked: the rest of the farm may be gone.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from stillup.deploy.failover import seat
from stillup.deploy.session import part_of_state, until
from stillup.errors import InputRefused, ServerFailed
from stillup.model.farm import Farm, Role
from stillup.node.message import JsonObject
from stillup.servers.connection import Access, Connection

HOLDS_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Forcing:
    """What is forced.

    Args:
        to: The balancer that shall hold.
        dead: The servers that are dead.
        address: Which virtual IP; None for all of them.
    """

    to: str
    dead: tuple[str, ...]
    address: str | None = None


async def risks(farm: Farm, access: Access, forcing: Forcing) -> Sequence[str]:
    """Return what it risks, a sentence each; nothing is done.

    Raises:
        InputRefused: If there is no such balancer, server or address.
        ServerUnreachable: If the balancer cannot be reached.
        ServerFailed: If its heartbeat does not answer, or refuses; the text says why.
    """
    async with _session(farm, access, forcing) as session:
        told = (await session.request("vip", _question(forcing, go=False))).get("risks")
    return [str(each) for each in told] if isinstance(told, list) else []


async def force(farm: Farm, access: Access, forcing: Forcing) -> Sequence[str]:
    """Do it, wait until the balancer holds, and return what it holds.

    Raises:
        As ``risks``.
        ServerFailed: Also if it does not hold in time.
    """
    wanted = [forcing.address] if forcing.address else [str(each) for each in farm.vip.addresses]
    async with _session(farm, access, forcing) as session:
        await session.request("vip", _question(forcing, go=True))

        async def holds() -> bool:
            heartbeat = await part_of_state(session, "heartbeat")
            return all(seat(heartbeat, address).holding for address in wanted)

        if not await until(holds, within_s=HOLDS_WITHIN_S):
            raise ServerFailed(
                f"{forcing.to} does not hold {', '.join(wanted)} after {HOLDS_WITHIN_S:g} s; "
                "`stillup status` says why"
            )
    return wanted


@asynccontextmanager
async def _session(farm: Farm, access: Access, forcing: Forcing) -> AsyncIterator[Connection]:
    balancers = {server.name: server for server in farm.having(Role.BALANCER)}
    if forcing.to not in balancers:
        raise InputRefused(
            f"{forcing.to} is no balancer of this farm; these are: {', '.join(balancers)}"
        )
    names = [server.name for server in farm.servers]
    for name in forcing.dead:
        if name not in names:
            raise InputRefused(f"{name} is no server of this farm; these are: {', '.join(names)}")
    every = [str(each) for each in farm.vip.addresses]
    if forcing.address is not None and forcing.address not in every:
        raise InputRefused(
            f"{forcing.address} is no virtual IP of this farm; these are: {', '.join(every)}"
        )
    session = await access.connect(balancers[forcing.to])
    try:
        yield session
    finally:
        await session.close()


def _question(forcing: Forcing, *, go: bool) -> JsonObject:
    return {"action": "force", "dead": [*forcing.dead], "go": go, "address": forcing.address}
