"""What the rest of stillup knows of a reached server: a session that answers requests.

The session is ``python3 -m stillup.node`` on the server (see ``stillup.node.session`` for the
operations). Deciding code and tests know these two protocols only, never SSH or the lab.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol

from stillup.model.farm import Server
from stillup.node.message import Json, JsonObject


class Connection(Protocol):
    """One open session to one server. Not for two tasks at once."""

    @property
    def server(self) -> Server:
        """The server at the other end."""
        ...

    async def request(
        self,
        operation: str,
        arguments: Mapping[str, Json] | None = None,
        *,
        on_event: Callable[[JsonObject], None] | None = None,
        within_s: float = 60.0,
    ) -> JsonObject:
        """Ask the server to do ``operation`` and return its result.

        Args:
            operation: One of ``stillup.node.session.OPERATIONS``.
            arguments: What the operation takes.
            on_event: Called with each progress event before the result.
            within_s: Silence (no event, no result) longer than this ends the session.

        Raises:
            ServerUnreachable: If the session broke or stayed silent.
            ServerFailed: If the server could not do it.
            ChangeRefused: If the server refused to begin.
            ChangeTakenBack: If it began, failed, and put back what was there.
        """
        ...

    async def download(
        self,
        operation: str,
        arguments: Mapping[str, Json],
        take: Callable[[bytes], Awaitable[None]],
        *,
        on_event: Callable[[JsonObject], None] | None = None,
        within_s: float = 60.0,
    ) -> JsonObject:
        """Ask for an operation that streams to us; ``take`` is given each piece, in order.

        The server waits while ``take`` does. Otherwise as ``request``; what ``take`` raises
        passes through and ends the session.
        """
        ...

    async def upload(
        self,
        operation: str,
        arguments: Mapping[str, Json],
        pieces: AsyncIterator[bytes],
        *,
        on_event: Callable[[JsonObject], None] | None = None,
        within_s: float = 60.0,
    ) -> JsonObject:
        """Ask for an operation that is streamed to, each piece at most 8 MB and not empty.

        Otherwise as ``request``; what ``pieces`` raises passes through and ends the session, and
        the server then has not heard the end.
        """
        ...

    async def close(self) -> None:
        """End the session; what it holds (the lock) is let go."""
        ...


class Access(Protocol):
    """A way to reach servers: SSH to real ones, SSH into the lab, or memory in tests."""

    async def connect(self, server: Server) -> Connection:
        """Open a session.

        Raises:
            ServerUnreachable: If there is no way to it in time.
            ServerRefused: If its host key is wrong or it does not let us in.
        """
        ...
