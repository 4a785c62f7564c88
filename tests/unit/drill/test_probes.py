"""A drill's pages from the controller's side: who is asked for what, and what is left when it fails."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from stillup.deploy.session import Sessions, open_all
from stillup.drill.history import Copies, Kind
from stillup.drill.probes import Probes, numbers_of
from stillup.errors import ChangeRefused, ServerFailed, ServerUnreachable
from stillup.model.farm import Farm
from stillup.model.read import read_farm
from stillup.node.message import Json, JsonObject
from stillup.servers.memory import MemoryAccess

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "0123456789abcdef" * 2

T = TypeVar("T")


@dataclass
class Keeper:
    """A server that has every page, and keeps the numbers 1 to 3; ``busy``: with another's drill."""

    busy: bool = False
    asked: list[tuple[str, dict[str, Json]]] = field(default_factory=list)

    def answer(self, session: int, operation: str, arguments: Mapping[str, Json]) -> JsonObject:
        self.asked.append((operation, dict(arguments)))
        if operation == "drill.install" and self.busy:
            raise ChangeRefused("another drill is under way here")
        if operation == "ask":
            return {"status": 200}
        return {"spans": [[1, 3]]} if operation == "drill.kept" else {}

    def ended(self, session: int) -> None:
        pass

    def told(self, name: str) -> list[Json]:
        """Return what was asked for by each argument of that name, in order."""
        return [arguments[name] for _, arguments in self.asked if name in arguments]


def farm_of(name: str) -> Farm:
    path = ROOT / name
    farm = read_farm(path.read_bytes(), path.name)
    assert isinstance(farm, Farm)
    return farm


def at(
    farm: Farm, keepers: Mapping[str, Keeper], do: Callable[[Probes, Sessions], Awaitable[T]]
) -> T:
    async def run() -> T:
        async with open_all(MemoryAccess(keepers), farm.servers) as sessions:
            return await do(Probes(farm, TOKEN), sessions)

    return asyncio.run(run())


def keepers_of(farm: Farm) -> dict[str, Keeper]:
    return {server.name: Keeper() for server in farm.servers}


@pytest.mark.parametrize(
    ("name", "seen", "on_disk", "keeping"),
    [
        (
            "examples/farm.toml",
            "/srv/shared/uploads",
            "/srv/stillup/brick/data/uploads",
            ["row data1", "row data2", "file data1", "file data2"],
        ),
        (
            "examples/recipe.toml",
            "/var/www/files",
            "/srv/stillup/export/files",
            ["row db1", "file nfs1"],
        ),
        ("tests/farms/six.toml", None, None, ["row db1"]),
    ],
)
def test_numbers_are_written_through_the_mount_and_asked_for_on_each_keepers_own_disk(
    name: str, seen: str | None, on_disk: str | None, keeping: list[str]
) -> None:
    farm = farm_of(name)
    keepers = keepers_of(farm)
    at(farm, keepers, lambda probes, sessions: probes.install(sessions, 60))
    kept = at(farm, keepers, lambda probes, sessions: probes.kept(sessions))
    assert [one.told("shared") for one in keepers.values() if one.told("shared")] == [
        [seen] for server in farm.servers if "web" in server.roles
    ]
    folders = {folder for one in keepers.values() for folder in one.told("folder")}
    assert folders == ({on_disk} if on_disk else set())
    assert [f"{copies.kind} {copies.server}" for copies in kept] == keeping
    assert kept[0] == Copies(kept[0].server, Kind.ROW, frozenset({1, 2, 3}))


def test_a_server_that_cannot_have_the_pages_leaves_them_nowhere() -> None:
    farm = farm_of("tests/farms/six.toml")
    keepers = keepers_of(farm)
    keepers["web2"].busy = True
    with pytest.raises(ChangeRefused):
        at(farm, keepers, lambda probes, sessions: probes.install(sessions, 60))
    ended = [
        name for name, one in keepers.items() if ("drill.remove", {"token": TOKEN}) in one.asked
    ]
    assert ended == ["web1", "web2", "web3"]


def test_a_web_server_that_is_not_there_is_named() -> None:
    farm = farm_of("tests/farms/six.toml")

    async def install() -> None:
        access = MemoryAccess(keepers_of(farm), dead={"web3"})
        async with open_all(access, farm.servers) as sessions:
            await Probes(farm, TOKEN).install(sessions, 60)

    with pytest.raises(ServerUnreachable, match="web3"):
        asyncio.run(install())


@pytest.mark.parametrize("spans", [None, [1, 2], [["1", "2"]], {"1": 2}])
def test_numbers_told_in_another_way_are_not_guessed(spans: Json) -> None:
    with pytest.raises(ServerFailed, match="in no known way"):
        numbers_of(spans)
