"""Servers that live in this process: an ``Access`` for tests, with faults at chosen requests.

A ``MemoryServer`` answers requests as a node would. Faults are set on the access: the
controller is killed at its n-th request, or a server dies at its n-th; *before* the request
was done, or after, when only the answer is lost. A killed controller does nothing more, not
even cleaning up: what its sessions held is let go, as by the end of a process.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from stillup.errors import ServerFailed, ServerUnreachable
from stillup.model.farm import Server
from stillup.node.message import Json, JsonObject
from stillup.servers.connection import Connection


class ControllerKilled(BaseException):
    """The controller is no more; a ``BaseException``, since nothing may handle it."""


class MemoryServer(Protocol):
    """The node's end of a session."""

    def answer(self, session: int, operation: str, arguments: Mapping[str, Json]) -> JsonObject:
        """Do ``operation``; raises what the node would answer as an error."""
        ...

    def ended(self, session: int) -> None:
        """Let go of what the session held."""
        ...


@dataclass(frozen=True, slots=True)
class Fault:
    """At the ``at``-th request (from 1), before it is done or when it was."""

    at: int
    done: bool


@dataclass
class MemoryAccess:
    """An ``Access`` to servers in memory."""

    servers: Mapping[str, MemoryServer]
    kill: Fault | None = None
    """When the controller is killed; requests of all servers count."""
    death: Mapping[str, Fault] = field(default_factory=dict)
    """When a server dies; only its own requests count."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Every request, in order: server and operation."""
    dead: set[str] = field(default_factory=set)
    _sessions: dict[int, str] = field(default_factory=dict)
    _killed: bool = False

    async def connect(self, server: Server) -> Connection:
        """Open a session."""
        if self._killed:
            raise ControllerKilled
        if server.name in self.dead:
            raise ServerUnreachable(f"{server.name} ({server.address}) cannot be reached")
        number = len(self._sessions) + 1
        self._sessions[number] = server.name
        return _MemoryConnection(server, number, self)

    def ask(self, session: int, operation: str, arguments: Mapping[str, Json]) -> JsonObject:
        """Pass a request on, or let a fault happen."""
        name = self._sessions[session]
        if self._killed:
            raise ControllerKilled
        if name in self.dead:
            raise ServerUnreachable(f"{name} was lost during {operation}")
        self.requests.append((name, operation))
        kill = self._due(self.kill, len(self.requests))
        death = self._due(self.death.get(name), sum(name == asked for asked, _ in self.requests))
        answer: JsonObject = {}
        if not any(fault and not fault.done for fault in (kill, death)):
            answer = self.servers[name].answer(session, operation, arguments)
        if kill:
            self._end_all()
            raise ControllerKilled
        if death:
            self.dead.add(name)
            self._end(name)
            raise ServerUnreachable(f"{name} was lost during {operation}")
        return answer

    def close(self, session: int) -> None:
        """End one session."""
        if not self._killed:
            self.servers[self._sessions[session]].ended(session)

    def _due(self, fault: Fault | None, count: int) -> Fault | None:
        return fault if fault is not None and fault.at == count else None

    def _end_all(self) -> None:
        self._killed = True
        for session, name in self._sessions.items():
            self.servers[name].ended(session)

    def _end(self, name: str) -> None:
        for session, owner in self._sessions.items():
            if owner == name:
                self.servers[name].ended(session)


class _MemoryConnection:
    def __init__(self, server: Server, number: int, access: MemoryAccess) -> None:
        self._server = server
        self._number = number
        self._access = access

    @property
    def server(self) -> Server:
        return self._server

    async def request(
        self,
        operation: str,
        arguments: Mapping[str, Json] | None = None,
        *,
        on_event: Callable[[JsonObject], None] | None = None,  # noqa: ARG002 - none are told
        within_s: float = 60.0,  # noqa: ARG002 - answers come at once
    ) -> JsonObject:
        return self._access.ask(self._number, operation, arguments or {})

    async def download(
        self,
        operation: str,  # noqa: ARG002 - nothing streams here
        arguments: Mapping[str, Json],  # noqa: ARG002
        take: Callable[[bytes], Awaitable[None]],  # noqa: ARG002
        *,
        on_event: Callable[[JsonObject], None] | None = None,  # noqa: ARG002
        within_s: float = 60.0,  # noqa: ARG002
    ) -> JsonObject:
        raise ServerFailed(f"{self._server.name}: a server in memory streams nothing")

    async def upload(
        self,
        operation: str,  # noqa: ARG002
        arguments: Mapping[str, Json],  # noqa: ARG002
        pieces: AsyncIterator[bytes],  # noqa: ARG002
        *,
        on_event: Callable[[JsonObject], None] | None = None,  # noqa: ARG002
        within_s: float = 60.0,  # noqa: ARG002
    ) -> JsonObject:
        raise ServerFailed(f"{self._server.name}: a server in memory takes no stream")

    async def close(self) -> None:
        self._access.close(self._number)
