"""A controller that begins a fault on a server of a lab and then waits to be killed.

    python -m tests.lab.faulting FARM.toml SERVER ARGUMENTS      (of ``fault.begin``, as JSON)

Says what the server answered as one line of JSON.
"""

import asyncio
import json
import sys
from pathlib import Path

from stillup.errors import StillupError
from stillup.lab.access import lab_access
from stillup.model.farm import Farm
from stillup.model.read import read_farm


async def begin(farm_path: Path, server: str, arguments: str) -> None:
    """Begin it, say how, and stay."""
    farm = read_farm(farm_path.read_bytes(), farm_path.name)  # noqa: ASYNC240  # once
    assert isinstance(farm, Farm), farm
    there = farm.server(server)
    assert there is not None
    connection = await lab_access(farm, farm_path).connect(there)
    try:
        told = await connection.request("fault.begin", json.loads(arguments))
    except StillupError as error:
        told = {"error": str(error)}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(begin(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
