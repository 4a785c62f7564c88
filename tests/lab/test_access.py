"""The way into the lab's machines: real SSH, as root and as a user with sudo."""

import asyncio
import time

import pytest
from tests.lab.running import RunningLab

from stillup.errors import LabFailed, ServerUnreachable
from stillup.lab.access import lab_access

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.mark.parametrize("user", ["root", "admin"])
def test_a_session_is_opened_as_root_and_as_a_user_with_sudo(small: RunningLab, user: str) -> None:
    small.lab.up(["one"])

    async def state() -> object:
        access = lab_access(small.farm, small.farm_path, user)
        connection = await access.connect(small.farm.servers[0])
        try:
            return await connection.request("state")
        finally:
            await connection.close()

    told = asyncio.run(state())
    assert isinstance(told, dict)
    assert "load" in told


def test_a_machine_without_power_is_unreachable_in_bounded_time(small: RunningLab) -> None:
    small.lab.up()
    small.lab.power("two", on=False)
    began = time.monotonic()
    with pytest.raises(ServerUnreachable, match=r"^two"):
        asyncio.run(lab_access(small.farm, small.farm_path).connect(small.farm.servers[1]))
    assert time.monotonic() - began < 12


def test_there_is_no_access_to_a_lab_that_is_not_up(small: RunningLab) -> None:
    with pytest.raises(LabFailed, match="`stillup lab up` starts it"):
        lab_access(small.farm, small.farm_path)
