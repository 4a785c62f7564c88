"""Which web server gives and takes the shared files."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from stillup.backup.mounted import mounted_on
from stillup.deploy.session import Sessions
from stillup.errors import ServerFailed, ServerUnreachable
from stillup.model.farm import Farm, Server
from stillup.model.read import read_farm
from stillup.node.message import Json, JsonObject

EXAMPLE = Path(__file__).parents[3] / "examples" / "farm.toml"


@dataclass
class Web:
    """A session that knows whether the storage is mounted, and nothing else."""

    server: Server
    is_mounted: bool

    async def request(
        self,
        operation: str,
        arguments: Mapping[str, Json] | None = None,
        *,
        on_event: Callable[[JsonObject], None] | None = None,
        within_s: float = 60.0,
    ) -> JsonObject:
        assert (operation, arguments) == ("backup.mounted", {"mount": "/srv/shared"})
        if not self.is_mounted:
            raise ServerFailed(f"{self.server.name}: the shared storage is not mounted")
        return {}

    async def download(
        self,
        operation: str,
        arguments: Mapping[str, Json],
        take: Callable[[bytes], Awaitable[None]],
        *,
        on_event: Callable[[JsonObject], None] | None = None,
        within_s: float = 60.0,
    ) -> JsonObject:
        raise NotImplementedError

    async def upload(
        self,
        operation: str,
        arguments: Mapping[str, Json],
        pieces: AsyncIterator[bytes],
        *,
        on_event: Callable[[JsonObject], None] | None = None,
        within_s: float = 60.0,
    ) -> JsonObject:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


def _chosen(**webs: bool | None) -> str:
    """Return who is chosen, of web servers with the storage, without it, or away (None)."""
    farm = read_farm(EXAMPLE.read_bytes(), EXAMPLE.name)
    assert isinstance(farm, Farm), farm
    servers = {server.name: server for server in farm.servers}
    sessions = Sessions(
        {name: Web(servers[name], has) for name, has in webs.items() if has is not None},
        {name: ServerUnreachable(f"{name} is away") for name, has in webs.items() if has is None},
    )
    return asyncio.run(mounted_on(farm, sessions))


def test_the_first_web_server_that_has_the_storage_mounted_is_chosen() -> None:
    assert _chosen(web1=True, web2=True) == "web1"
    assert _chosen(web1=False, web2=True) == "web2"
    assert _chosen(web1=None, web2=True) == "web2"


def test_where_none_has_it_each_one_says_why() -> None:
    with pytest.raises(ServerFailed) as told:
        _chosen(web1=None, web2=False)
    assert str(told.value).splitlines() == [
        "web2: the shared storage is not mounted",
        "web1 is away",
    ]
