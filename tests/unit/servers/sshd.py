"""A real SSH server in this process, which runs the real loader below a temporary folder."""

import asyncio
import contextlib
import shlex
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Protocol

import asyncssh

from stillup.model.farm import Role, Server
from stillup.servers.ssh import SshAccess

SERVER = Server("web1", IPv4Address("127.0.0.1"), frozenset({Role.WEB}))
Process = asyncssh.SSHServerProcess[bytes]
Behaviour = Callable[["Sshd", Process], Awaitable[None]]


@dataclass
class Sshd:
    """One server, its keys and what was asked of it."""

    folder: Path
    port: int = 0
    commands: list[str] = field(default_factory=list)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def client_key(self) -> Path:
        return self.folder / "client_key"

    def access(self, user: str = "root") -> SshAccess:
        return SshAccess(user, self.port, self.client_key, self.known_hosts)


async def real_node(sshd: Sshd, process: Process) -> None:
    """Run what was asked for, with the loader's place on disk moved into the folder."""
    assert process.command is not None
    argv = shlex.split(process.command)
    argv[argv.index("-c") + 1] = argv[argv.index("-c") + 1].replace(
        "/usr/lib/stillup", str(sshd.folder / "lib")
    )
    await pumped(process, sys.executable, *argv[argv.index("-I") :])


async def pumped(process: Process, *argv: str) -> None:
    """Run a program with this session's input and output."""
    child = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # it lowers its session
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(process.stdin, child.stdin))
            group.create_task(_pump(child.stdout, process.stdout))
            group.create_task(_pump(child.stderr, process.stderr))
        process.exit(await child.wait())
    finally:
        child.stdin.close()
        await child.wait()


class _Source(Protocol):
    async def read(self, n: int) -> bytes: ...


class _Sink(Protocol):
    def write(self, data: bytes) -> None: ...
    def write_eof(self) -> None: ...
    async def drain(self) -> None: ...


async def _pump(source: _Source, sink: _Sink) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while piece := await source.read(65536):
            sink.write(piece)
            # As sshd does: what is not taken yet is not read yet.
            await sink.drain()
        if isinstance(sink, asyncio.StreamWriter):
            sink.write_eof()


@asynccontextmanager
async def running(folder: Path, behaviour: Behaviour = real_node) -> AsyncIterator[Sshd]:
    sshd = Sshd(folder)
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    client_key = asyncssh.generate_private_key("ssh-ed25519")
    sshd.client_key.write_bytes(client_key.export_private_key())
    authorized = asyncssh.import_authorized_keys(client_key.export_public_key().decode())

    class Doorkeeper(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            sshd.connections.append(conn)

    async def process_factory(process: Process) -> None:
        sshd.commands.append(process.command or "")
        await behaviour(sshd, process)

    listener = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Doorkeeper,
        server_host_keys=[host_key],
        authorized_client_keys=authorized,
        process_factory=process_factory,
        encoding=None,
    )
    sshd.port = listener.get_port()
    public = host_key.export_public_key().decode()
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {public}")
    try:
        yield sshd
    finally:
        for connection in sshd.connections:
            connection.abort()
        listener.close()
        await listener.wait_closed()
