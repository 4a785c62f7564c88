"""Reboots a server as maintenance does: what it serves goes to another one before.

Its users go by a drain, its virtual IP by a failover, what is written to its database by telling
another one to take the lead. Where nobody could take it, it is rebooted all the same: a farm that
has only one of a kind cannot do better, and `stillup check` says so.
"""

from stillup.deploy.copies import copies, heir
from stillup.deploy.drain import drain, undrain
from stillup.deploy.failover import failover
from stillup.deploy.session import open_all, part_of_state, raise_all
from stillup.drill.fault import Action, Fault
from stillup.drill.looking import await_whole
from stillup.drill.stage import Stage
from stillup.drill.world import World
from stillup.errors import ServerFailed
from stillup.model.farm import Role, Server

BACK_WITHIN_S = 240.0
TAKE_WITHIN_S = 90.0


async def reboot(stage: Stage, server: Server) -> None:
    """Empty a server, reboot it, and have it serve again when the farm is whole.

    Raises:
        StillupError: If a step failed; a server that was drained is put back into use.
    """
    drains = Role.WEB in server.roles and len(stage.farm.having(Role.WEB)) > 1
    if drains:
        await drain(stage.farm, stage.access, server.name, tell=stage.tell)
    try:
        await _give_away(stage, server)
        fault = Fault(Action.REBOOT, (server.name,))
        world = World(stage.farm, stage.access, stage.power)
        await world.begin(fault)
        await world.undone(fault)
    finally:
        if drains:
            await undrain(stage.farm, stage.access, server.name, tell=stage.tell)
    if (why := await await_whole(stage.farm, stage.access, BACK_WITHIN_S)) is not None:
        raise ServerFailed(f"{BACK_WITHIN_S:g} s after {server.name} was rebooted: {why}")


async def _give_away(stage: Stage, server: Server) -> None:
    """Have others do what only one can do at a time: hold an address, be written to."""
    balancers = stage.farm.having(Role.BALANCER)
    if server in balancers and len(balancers) > 1:
        other = next(each.name for each in balancers if each != server)
        await failover(stage.farm, stage.access, to=other, address=None, tell=stage.tell)
    if Role.DATABASE in server.roles:
        await _give_lead(stage, server)


async def _give_lead(stage: Stage, server: Server) -> None:
    async with open_all(stage.access, stage.farm.having(Role.DATABASE)) as sessions:
        raise_all(sessions.unreached.values())
        told = await sessions.ask(lambda session: part_of_state(session, "copies"))
        seen = {name: copies(of_server).get(Role.DATABASE) for name, of_server in told.items()}
        mine = seen.pop(server.name)
        if mine is not None and mine.leads and (other := heir(seen)):
            stage.say(f"{other}: is written to from now on")
            await sessions.open[other].request(
                "database", {"action": "take"}, within_s=TAKE_WITHIN_S
            )
