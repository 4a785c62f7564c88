"""The changes that are made on purpose: by the very functions that the commands call.

Each is done and, where it is no change for good, taken back, so that the farm stands afterwards
as it stood before.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from stillup.deploy.apply import apply
from stillup.deploy.drain import drain, undrain
from stillup.deploy.events import Event, Told
from stillup.deploy.failover import failover
from stillup.deploy.release import back, release
from stillup.deploy.survey import Amend, as_written
from stillup.drill import amending, maintenance
from stillup.drill.fault import Action, Fault
from stillup.drill.stage import Stage
from stillup.errors import ChangeTakenBack, ServerFailed

STAYS_S = 3.0
"""What is taken back stays for so long, so that users feel it if there is anything to feel."""
MARK = "stillup-drill.txt"


async def do(stage: Stage, fault: Fault) -> None:
    """Make the change and take it back.

    Raises:
        StillupError: If it failed; as the command of that name.
    """
    await _CHANGES[fault.action](stage, fault)


async def _failover(stage: Stage, _fault: Fault) -> None:
    """Move each address to another balancer, and back."""
    for _ in range(2):
        await failover(stage.farm, stage.access, to=None, address=None, tell=stage.tell)
        await asyncio.sleep(STAYS_S)


async def _drain(stage: Stage, fault: Fault) -> None:
    for web in fault.servers:
        await drain(stage.farm, stage.access, web, tell=stage.tell)
        await asyncio.sleep(STAYS_S)
        await undrain(stage.farm, stage.access, web, tell=stage.tell)


async def _release(stage: Stage, _fault: Fault) -> None:
    """Release the site with a file more, and go back."""
    with tempfile.TemporaryDirectory(prefix="stillup-drill-") as folder:
        copy = Path(folder) / "site"
        await asyncio.to_thread(shutil.copytree, stage.source, copy, symlinks=True)
        (copy / MARK).write_text("Released by a drill.\n")
        released = await release(stage.farm, stage.access, copy, tell=stage.tell)
    if not released.switched:
        raise ServerFailed("what a drill released is served already; `stillup release` mends that")
    await asyncio.sleep(STAYS_S)
    await back(stage.farm, stage.access)


async def _apply(stage: Stage, _fault: Fault) -> None:
    """Change every engine's file on one server after another, and change it back."""
    try:
        await _applied(stage, amending.commented)
    finally:
        await _applied(stage, as_written)


async def _bad_config(stage: Stage, fault: Fault) -> None:
    """Apply what the engine's own checker refuses: nothing of it may come to be.

    Raises:
        ServerFailed: If it was taken.
    """
    try:
        await _applied(stage, amending.broken(fault.engine))
    except ChangeTakenBack:
        return
    finally:
        await _applied(stage, as_written)
    raise ServerFailed(f"a configuration that {fault.engine} cannot read was taken")


async def _applied(stage: Stage, amend: Amend) -> None:
    def tell(event: Event) -> None:
        if isinstance(event, Told):
            stage.tell(event)

    await apply(stage.farm, stage.secrets, stage.access, stage.source, report=tell, amend=amend)


async def _reboots(stage: Stage, _fault: Fault) -> None:
    for server in stage.farm.servers:
        await maintenance.reboot(stage, server)


_CHANGES: Mapping[Action, Callable[[Stage, Fault], Awaitable[None]]] = {
    Action.FAILOVER: _failover,
    Action.DRAIN: _drain,
    Action.RELEASE: _release,
    Action.APPLY: _apply,
    Action.BAD_CONFIG: _bad_config,
    Action.REBOOTS: _reboots,
}
