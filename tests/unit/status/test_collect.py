"""Looks at a farm in memory: servers that are gone, refuse, tell nonsense, die and return."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import pytest
from tests.unit.status.looks import NAMES, VIP, farm
from tests.unit.status.test_parse import LB1, VOTER

from stillup.errors import ServerFailed
from stillup.model.farm import Server
from stillup.node.bundle import Facts
from stillup.node.message import Json, JsonObject
from stillup.servers.connection import Connection
from stillup.servers.memory import Fault, MemoryAccess, MemoryServer
from stillup.status.collect import Sessions, collect, urls, watch
from stillup.status.observed import Asked, Observed, Reached, Unreached

ANSWER: JsonObject = {"status": 200, "seconds": 0.01, "error": None, "balancer": "lb1"}

ADDRESSES = [str(server.address) for server in farm().servers]


@dataclass
class Node:
    """A server that tells its state and makes requests."""

    state: JsonObject
    asked: list[Mapping[str, Json]] = field(default_factory=list)
    ends: int = 0

    def answer(self, session: int, operation: str, arguments: Mapping[str, Json]) -> JsonObject:
        if operation == "state":
            return self.state
        if operation == "facts":
            assert arguments["address"] in ADDRESSES
            return {
                "debian": 13,
                "php": "8.4",
                "interface": "eth0",
                "python": "3.13",
                "ssh_port": 0,
            }
        assert operation == "ask"
        self.asked.append(arguments)
        return ANSWER

    def ended(self, session: int) -> None:
        self.ends += 1


class Broken(Node):
    """A server that answers, and cannot tell how it is."""

    def answer(self, session: int, operation: str, arguments: Mapping[str, Json]) -> JsonObject:
        raise ServerFailed("systemd does not say how its units stand")


def nodes() -> dict[str, Node]:
    manifest: JsonObject = {"at": 1.0, "bundle": "aa"}
    return {
        name: Node({**LB1} if name == "lb1" else {**VOTER, "manifest": manifest}) for name in NAMES
    }


def access(servers: Mapping[str, MemoryServer]) -> MemoryAccess:
    return MemoryAccess(servers)


def words(observed: Observed) -> dict[str, str]:
    return {
        seen.name: "reached" if isinstance(seen, Reached) else seen.code
        for seen in observed.servers
    }


def test_every_server_is_asked_once_and_two_ask_through_the_address() -> None:
    servers = nodes()
    way = access(servers)
    observed = asyncio.run(collect(farm(), way))
    assert words(observed) == dict.fromkeys(NAMES, "reached")
    assert sorted(way.requests) == sorted(
        [(name, "state") for name in NAMES]
        + [(name, "ask") for name in ("web1", "web2") for _ in range(2)]
    )
    assert [arguments["url"] for arguments in servers["web1"].asked] == [
        f"http://{VIP}/health",
        f"https://{VIP}/health",
    ]
    assert {arguments["host"] for arguments in servers["web2"].asked} == {"shop.example"}
    assert observed.asked[0] == Asked("web1", f"http://{VIP}/health", 200, 0.01, balancer="lb1")
    assert all(server.ends == 1 for server in servers.values())


def test_what_cannot_be_asked_is_an_observation() -> None:
    servers: dict[str, MemoryServer] = {**nodes(), "web3": Broken({})}
    way = access(servers)
    way.dead.update({"lb2", "web1"})
    observed = asyncio.run(collect(farm(), way))
    assert words(observed) == {
        "lb1": "reached",
        "lb2": "server-unreachable",
        "web1": "server-unreachable",
        "web2": "reached",
        "web3": "server-failed",
        "db1": "reached",
    }
    assert [one.by for one in observed.asked] == ["web2", "web2", "db1", "db1"]


def test_an_asker_that_dies_while_asking_is_no_witness() -> None:
    way = access(nodes())
    way.death = {"web1": Fault(at=2, done=False)}
    observed = asyncio.run(collect(farm(), way))
    assert [one.by for one in observed.asked] == ["web2", "web2"]
    assert words(observed)["web1"] == "reached"


def test_two_that_claim_the_address_are_asked_a_second_time() -> None:
    servers = nodes()
    servers["lb2"].state = {**LB1}
    way = access(servers)
    asyncio.run(collect(farm(), way))
    again = [name for name, operation in way.requests if operation == "state"]
    assert sorted(again) == sorted([*NAMES, "lb1", "lb2"])


def test_what_each_server_should_have_is_worked_out_once_a_watch() -> None:
    way = access(nodes())
    asked: list[tuple[str, Facts]] = []

    def wanted(server: Server, facts: Facts) -> str:
        asked.append((server.name, facts))
        return f"for {server.name}"

    async def looked() -> Observed:
        sessions = Sessions(farm(), way, wanted)
        await sessions.look()
        observed = await sessions.look()
        await sessions.close()
        return observed

    observed = asyncio.run(looked())
    assert [seen.wanted for seen in observed.servers if isinstance(seen, Reached)] == [
        f"for {name}" for name in NAMES
    ]
    assert asked == [(name, Facts(13, "8.4", "eth0", "3.13")) for name in NAMES]


def test_without_tls_only_http_is_asked_for() -> None:
    plain = replace(farm(), tls=replace(farm().tls, enabled=False))
    assert urls(plain) == [f"http://{VIP}/health"]


def test_a_watch_sees_a_server_go_and_come_back_over_the_same_sessions() -> None:
    servers = nodes()
    way = access(servers)

    async def watched() -> list[str]:
        seen: list[str] = []
        async with aclosing(watch(farm(), way, every_s=0.0)) as looks:
            async for observed in looks:
                seen.append(words(observed)["web2"])
                if len(seen) == 2:
                    way.dead.add("web2")
                if len(seen) == 4:
                    way.dead.remove("web2")
                if len(seen) > 4 and seen[-1] == "reached":
                    break
        return seen

    seen = asyncio.run(watched())
    assert seen[:4] == ["reached", "reached", "server-unreachable", "server-unreachable"]
    assert seen[-1] == "reached"
    assert servers["lb1"].ends == 1, "one session for the whole watch, and it was closed"


@dataclass
class Slow(MemoryAccess):
    """Connecting to ``stuck`` lasts until ``released`` is set."""

    stuck: str = ""
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def connect(self, server: Server) -> Connection:
        if server.name == self.stuck:
            await self.released.wait()
        return await super().connect(server)


def test_a_server_that_never_answers_costs_its_time_once() -> None:
    async def looked() -> list[str]:
        way = Slow(nodes(), stuck="db1")
        sessions = Sessions(farm(), way)
        found = [await sessions.look(within_s=0.05)]
        # From now on it is tried beside the looks, however long that takes.
        found += [await sessions.look(within_s=60.0) for _ in range(2)]
        way.released.set()
        while words(found[-1])["db1"] != "reached":
            found.append(await sessions.look(within_s=60.0))
        await sessions.close()
        first = found[0].servers[-1]
        assert isinstance(first, Unreached)
        assert first.reason == "no answer within 0.05 s"
        return [words(one)["db1"] for one in found[:3]]

    within = asyncio.wait_for(looked(), timeout=30)
    assert asyncio.run(within) == ["server-unreachable"] * 3


def test_closing_gives_up_what_is_still_under_way() -> None:
    async def looked() -> None:
        sessions = Sessions(farm(), Slow(nodes(), stuck="db1"))
        await sessions.look(within_s=0.05)
        await sessions.look(within_s=60.0)
        await asyncio.wait_for(sessions.close(), timeout=5)

    asyncio.run(looked())


@pytest.mark.parametrize("every_s", [0.0, 0.01])
def test_a_watch_that_is_cancelled_closes_its_sessions(every_s: float) -> None:
    servers = nodes()

    async def watched() -> None:
        async with aclosing(watch(farm(), access(servers), every_s=every_s)) as looks:
            async for _ in looks:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(watched())
    assert all(server.ends == 1 for server in servers.values())
