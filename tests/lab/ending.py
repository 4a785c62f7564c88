"""Removes what a killed drill left on a farm's web servers, as their timers would three minutes later.

python -m tests.lab.ending FARM.toml TOKEN
"""

import asyncio
import sys
from pathlib import Path

from stillup.deploy.session import open_all
from stillup.lab.access import lab_access
from stillup.model.farm import Farm, Role
from stillup.model.read import read_farm


async def end(farm_path: Path, token: str) -> None:
    """Remove the pages of the drill with that token, its table and its files."""
    farm = read_farm(farm_path.read_bytes(), farm_path.name)  # noqa: ASYNC240  # once
    assert isinstance(farm, Farm), farm
    async with open_all(lab_access(farm, farm_path), farm.having(Role.WEB)) as sessions:
        await sessions.ask(lambda session: session.request("drill.remove", {"token": token}))


if __name__ == "__main__":
    asyncio.run(end(Path(sys.argv[1]), sys.argv[2]))
