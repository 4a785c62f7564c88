"""Moving a virtual IP to another balancer on purpose, losing nothing.

The holder's heartbeat hands it over (``docs/heartbeat.md``); here it is asked to, and what came
of it is waited for. Several addresses are moved one after another.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from stillup.deploy.drain import Tell
from stillup.deploy.events import Told
from stillup.deploy.session import Sessions, lock_all, open_all, part_of_state, until
from stillup.errors import ChangeRefused, InputRefused, ServerFailed
from stillup.model.farm import Farm, Role
from stillup.node.message import Json, JsonObject
from stillup.servers.connection import Access, Connection

MOVES_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Seat:
    """What a balancer's heartbeat says of one virtual IP.

    Args:
        holding: Whether it holds the address.
        refused_at: When a move was refused there last, in seconds since 1970; 0 if never.
        refused: Why.
        open: How many connections live on there although the address was given away.
    """

    holding: bool
    refused_at: float = 0.0
    refused: str = ""
    open: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """An address that has another holder now.

    Args:
        address: The virtual IP.
        giver: Who held it.
        taker: Who holds it.
        took_s: How long that took, as seen from here.
        open: How many connections were open at the giver then, and live on there.
    """

    address: str
    giver: str
    taker: str
    took_s: float
    open: int


async def failover(
    farm: Farm, access: Access, *, to: str | None, address: str | None, tell: Tell
) -> list[Moved]:
    """Move the address, or each of them, to ``to``, or to whichever balancer is fit.

    Returns:
        What was moved; what ``to`` held already was not.

    Raises:
        InputRefused: If there is no such balancer or address.
        ChangeRefused: If the holder says that nobody could take it, or somebody else changes
            the farm right now.
        ServerFailed: If nobody holds an address, or it did not move in time.
        ServerUnreachable: If no balancer can be reached.
    """
    names = [server.name for server in farm.having(Role.BALANCER)]
    if to is not None and to not in names:
        raise InputRefused(f"{to} is no balancer of this farm; these are: {', '.join(names)}")
    every = [str(each) for each in farm.vip.addresses]
    if address is not None and address not in every:
        raise InputRefused(
            f"{address} is no virtual IP of this farm; these are: {', '.join(every)}"
        )
    async with open_all(access, farm.having(Role.BALANCER)) as sessions:
        if not sessions.open:
            raise next(iter(sessions.unreached.values()))
        for name, error in sessions.unreached.items():
            tell(Told(name, f"is left out: {error}"))
        await lock_all(sessions, what="failover")
        moved = [await _move(sessions, each, to) for each in ([address] if address else every)]
    return [each for each in moved if each is not None]


async def _move(sessions: Sessions, address: str, to: str | None) -> Moved | None:
    seats = await _seats(sessions, address)
    giver = next((name for name, seat in seats.items() if seat.holding), None)
    if giver is None:
        raise ServerFailed(
            f"no balancer that can be reached holds {address}, so it cannot be handed over; "
            "`stillup status` says why"
        )
    if giver == to:
        return None
    before_s, began_s = seats[giver].refused_at, time.monotonic()
    arguments: JsonObject = {"action": "failover", "address": address}
    if to is not None:
        arguments["to"] = to
    await sessions.open[giver].request("vip", arguments)
    seen: dict[str, Seat] = {}

    async def settled() -> bool:
        seen.update(await _seats(sessions, address))
        there = any(seat.holding for name, seat in seen.items() if name != giver)
        return there or seen[giver].refused_at > before_s

    await until(settled, within_s=MOVES_WITHIN_S)
    taker = next((name for name, seat in seen.items() if seat.holding and name != giver), None)
    if taker is not None:
        return Moved(address, giver, taker, time.monotonic() - began_s, seen[giver].open)
    if seen[giver].refused_at > before_s:
        raise ChangeRefused(f"{giver} keeps {address}: {seen[giver].refused}")
    raise ServerFailed(
        f"{address} has no new holder that can be reached after {MOVES_WITHIN_S:g} s; "
        "`stillup status` says how it stands"
    )


async def _seats(sessions: Sessions, address: str) -> Mapping[str, Seat]:
    async def ask(session: Connection) -> Seat:
        return seat(await part_of_state(session, "heartbeat"), address)

    return await sessions.ask(ask)


def seat(heartbeat: Json, address: str) -> Seat:
    """Read what a daemon's status says of an address; one that is silent holds nothing."""
    vips = _object(heartbeat).get("vips")
    seats = map(_object, vips if isinstance(vips, list) else [])
    told = next((each for each in seats if each.get("address") == address), {})
    handing = _object(told.get("handing"))
    refused = _object(handing.get("refused"))
    at, live = refused.get("at"), handing.get("open")
    return Seat(
        told.get("holding") is True,
        at if isinstance(at, float | int) else 0.0,
        str(refused.get("reason") or ""),
        live if isinstance(live, int) else 0,
    )


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}
