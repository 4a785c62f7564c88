"""Has users ask and a listener listen while a block runs; both are programs of their own."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stillup.drill.listener.settings import Settings as ListenerSettings
from stillup.drill.listener.start import Listening
from stillup.drill.programs import Wrap
from stillup.drill.workload.settings import Settings
from stillup.drill.workload.start import Working
from stillup.errors import DrillFailed
from stillup.model.farm import Farm

NEIGHBOURS = "/proc/net/arp"
READ_WITHIN_S = 10.0


@asynccontextmanager
async def asking(settings: Settings, wrap: Wrap) -> AsyncIterator[Working]:
    """Have users ask; it begins when the first request is due."""
    users = await asyncio.to_thread(Working, settings, wrap)
    try:
        yield users
    finally:
        users.kill()


@asynccontextmanager
async def listening(farm: Farm, origin_s: float, wrap: Wrap) -> AsyncIterator[Listening]:
    """Listen for who answers for each virtual IP."""
    told = ListenerSettings(tuple(map(str, farm.vip.addresses)), origin_s)
    ears = await asyncio.to_thread(Listening, told, wrap)
    try:
        yield ears
    finally:
        ears.kill()


def hardware(farm: Farm, wrap: Wrap) -> tuple[tuple[str, str], ...]:
    """Return whose each Ethernet address is, as the kernel of who asks has learnt it.

    Raises:
        DrillFailed: If it cannot be read there.
    """
    words = [*wrap(["cat", NEIGHBOURS])]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=READ_WITHIN_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise DrillFailed(f"{NEIGHBOURS} cannot be read where users are") from error
    return owners(farm, done.stdout)


def owners(farm: Farm, neighbours: str) -> tuple[tuple[str, str], ...]:
    """Read the kernel's neighbours (proc_pid_net(5), ``arp``): Ethernet address, server."""
    rows = [line.split() for line in neighbours.splitlines()[1:]]
    found = {row[0]: row[3] for row in rows if len(row) >= 4 and row[2] != "0x0"}
    return tuple(
        (found[str(server.address)], server.name)
        for server in farm.servers
        if str(server.address) in found
    )
