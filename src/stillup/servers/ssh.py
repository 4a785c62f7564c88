"""Servers reached over SSH: one connection and one process each.

Rules: host keys are strict, never learnt; only key files and the agent log in; no ``~/.ssh/config``
is read, so that the farm file alone says how servers are reached; every wait is bounded. The
server needs sshd and python3, nothing of ours: a short loader (``stillup.node.loader``) takes
the node's code over the same process on first use and after an update.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import asyncssh

from stillup.errors import InputRefused, ServerRefused, ServerUnreachable, StillupError
from stillup.model.farm import Server
from stillup.servers.channel import start
from stillup.servers.connection import Connection
from stillup.servers.host_keys import KnownHosts, Visitor

CONNECT_WITHIN_S = 10.0
"""From nothing to a session; an overloaded server may take seconds to log somebody in."""
DIAL_WITHIN_S = 4.0
"""For the TCP connection alone: the third SYN goes out after 3 s, and an answer is one trip."""
# A server that is switched off in the middle is missed after (3 + 1) * 3 s, however long the
# operation under way may be silent.
KEEPALIVE_EVERY_S = 3
KEEPALIVES_MISSED = 3
# Preferred, not required: 0.5 ms less CPU per handshake than the default's first choice, and
# the hardware does AES.
KEY_EXCHANGES = "^curve25519-sha256"
CIPHERS = "^aes128-gcm@openssh.com"

Dial: TypeAlias = Callable[[str, int], Awaitable[socket.socket]]
"""Opens a connected TCP socket to an address and port, from wherever the servers are seen.

Raises OSError like ``socket.connect``. The lab's dials from inside its own network namespace.
"""


class SshAccess:
    """An ``Access`` over SSH."""

    def __init__(
        self,
        user: str,
        port: int,
        client_key: Path | None,
        known_hosts: Path | None,
        dial: Dial | None = None,
    ) -> None:
        """Make an access; nothing is opened or read yet.

        Args:
            user: The account on every server; not ``root``: it needs ``sudo -n``.
            port: The port of every server's sshd.
            client_key: The private key; None for the agent's and the usual ones in ``~/.ssh``.
            known_hosts: The trusted host keys; None for ``~/.ssh/known_hosts``.
            dial: How sockets are opened; None for the ordinary way. Waits 4 s at most.
        """
        self._user = user
        self._port = port
        self._client_key = client_key.expanduser() if client_key else None
        self._known_hosts = KnownHosts((known_hosts or Path("~/.ssh/known_hosts")).expanduser())
        self._dial = dial or _dial
        self._keys: list[asyncssh.SSHKey] | None = None

    async def connect(self, server: Server) -> Connection:
        """Open a session; see ``Access.connect``."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                login = await self._login(server)
                try:
                    return await start(server, login, root=self._user == "root")
                except BaseException:
                    login.abort()
                    raise
        except TimeoutError as error:
            raise ServerUnreachable(
                f"{self._place(server)} did not let us in within {CONNECT_WITHIN_S:g} s; "
                "it may be off, cut off, overloaded or stopped"
            ) from error

    async def _login(self, server: Server) -> asyncssh.SSHClientConnection:
        visitor = Visitor()
        address = str(server.address)
        keys = self._client_keys()
        opened: socket.socket | None = None
        try:
            async with asyncio.timeout(DIAL_WITHIN_S):
                opened = await self._dial(address, self._port)
            return await asyncssh.connect(
                address,
                self._port,
                config=None,
                sock=opened,
                client_factory=lambda: visitor,
                known_hosts=self._known_hosts.entries(),
                username=self._user,
                client_keys=keys or (),
                agent_path=None if keys else os.environ.get("SSH_AUTH_SOCK"),
                preferred_auth="publickey",
                kex_algs=KEY_EXCHANGES,
                encryption_algs=CIPHERS,
                compression_algs=None,
                keepalive_interval=KEEPALIVE_EVERY_S,
                keepalive_count_max=KEEPALIVES_MISSED,
            )
        except (OSError, asyncssh.Error) as error:
            raise self._failure(server, visitor, error) from error
        except BaseException:
            if opened is not None:
                opened.close()
            raise

    def _client_keys(self) -> list[asyncssh.SSHKey]:
        """Return the key of the farm file; empty for the agent's and the usual ones."""
        if self._keys is None:
            self._keys = [] if self._client_key is None else _read_key(self._client_key)
        return self._keys

    def _failure(
        self, server: Server, visitor: Visitor, error: OSError | asyncssh.Error
    ) -> StillupError:
        place = self._place(server)
        match error:
            case asyncssh.HostKeyNotVerifiable() if visitor.shown is not None:
                return self._known_hosts.refusal(
                    server.name, str(server.address), self._port, visitor.shown
                )
            case asyncssh.PermissionDenied():
                key = f" -i {self._client_key}" if self._client_key else ""
                return ServerRefused(
                    f"{place} does not let {self._user} in with {self._client_key or 'our keys'}; "
                    f"`ssh-copy-id{key} -p {self._port} {self._user}@{server.address}` adds the key"
                )
            case asyncssh.HostKeyNotVerifiable() | asyncssh.KeyExchangeFailed():
                return ServerRefused(f"{place} and we could not agree: {error.reason}")
            case ConnectionRefusedError():
                return ServerUnreachable(
                    f"{place} refused the connection; is sshd running there, and on that port?"
                )
            case TimeoutError():
                return ServerUnreachable(
                    f"{place} does not answer; it is off, cut off, or a firewall is in between"
                )
            case OSError():
                return ServerUnreachable(f"{place} cannot be reached: {_reason(error)}")
            case _:
                return ServerUnreachable(f"{place} closed the connection: {error}")

    def _place(self, server: Server) -> str:
        return f"{server.name} ({server.address}, port {self._port})"


async def _dial(address: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setblocking(False)  # noqa: FBT003 - the standard library's
    try:
        await asyncio.get_running_loop().sock_connect(opened, (address, port))
    except BaseException:
        opened.close()
        raise
    return opened


def _read_key(file: Path) -> list[asyncssh.SSHKey]:
    try:
        return [asyncssh.read_private_key(file)]
    except asyncssh.KeyEncryptionError as error:
        if os.environ.get("SSH_AUTH_SOCK"):
            return []
        raise InputRefused(
            f"{file} is protected by a passphrase, and no agent runs; "
            f'`eval "$(ssh-agent)"` and `ssh-add {file}` open it'
        ) from error
    except (OSError, asyncssh.KeyImportError) as error:
        raise InputRefused(f"{file} cannot be read as a private key: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
