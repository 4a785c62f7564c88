"""Real SSH at both ends: who is let in, what runs there, and what is said when it breaks."""

import asyncio
import socket
from pathlib import Path

import asyncssh
import pytest
from tests.unit.servers.sshd import SERVER, Process, Sshd, running

from stillup.errors import InputRefused, ServerFailed, ServerRefused, ServerUnreachable
from stillup.servers import channel, ssh
from stillup.servers.code import node_code
from stillup.servers.ssh import SshAccess


async def _refused(sshd: Sshd, user: str = "root") -> str:
    with pytest.raises((ServerRefused, ServerUnreachable, ServerFailed)) as caught:
        await sshd.access(user).connect(SERVER)
    assert "web1" in str(caught.value)
    return f"{type(caught.value).__name__}: {caught.value}"


def test_the_node_code_is_brought_once_and_used_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as sshd:
            for _ in range(2):
                session = await sshd.access().connect(SERVER)
                answer = await session.request("release.list")
                assert set(answer) == {"aim", "current", "previous", "releases"}
                await session.close()
            assert sshd.commands[0].startswith("python3 -I -c ")

    asyncio.run(scenario())
    assert [path.name for path in (tmp_path / "lib").iterdir()] == [f"node-{node_code().sha256}"]


def test_an_error_of_the_node_names_the_server_and_keeps_its_class(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as sshd:
            session = await sshd.access().connect(SERVER)
            with pytest.raises(InputRefused, match="web1: there is no operation 'dance'"):
                await session.request("dance")
            assert await session.request("release.list"), "the session goes on after an error"
            await session.close()

    asyncio.run(scenario())


def test_large_requests_and_answers_pass(tmp_path: Path) -> None:
    async def echo_after_have(_: Sshd, process: Process) -> None:
        process.stdout.write(b"have\n")
        size = 0
        while not (piece := await process.stdin.read(65536)).endswith(b"\n"):
            size += len(piece)
        pad = b"x" * 8_000_000
        process.stdout.write(b'{"id":1,"result":{"size":%d,"pad":"%s"}}\n' % (size, pad))
        await process.stdin.read()

    async def scenario() -> None:
        async with running(tmp_path, echo_after_have) as sshd:
            session = await sshd.access().connect(SERVER)
            answer = await session.request("compare", {"bundle": "y" * 8_000_000})
            assert isinstance(answer["pad"], str)
            assert len(answer["pad"]) == 8_000_000
            await session.close()

    asyncio.run(scenario())


def test_an_unknown_host_key_is_refused_with_its_fingerprint_and_how_to_add_it(
    tmp_path: Path,
) -> None:
    async def scenario() -> str:
        async with running(tmp_path) as sshd:
            sshd.known_hosts.write_text("")
            text = await _refused(sshd)
            assert not sshd.commands
            assert f"ssh-keyscan -p {sshd.port} 127.0.0.1 >> {sshd.known_hosts}" in text
            return text

    text = asyncio.run(scenario())
    assert text.startswith("ServerRefused")
    assert "ssh-ed25519 SHA256:" in text


def test_a_missing_known_hosts_file_trusts_nobody(tmp_path: Path) -> None:
    async def scenario() -> str:
        async with running(tmp_path) as sshd:
            sshd.known_hosts.unlink()
            return await _refused(sshd)

    assert "has a host key that" in asyncio.run(scenario())


def test_a_changed_host_key_is_refused_loudly(tmp_path: Path) -> None:
    async def scenario() -> tuple[str, int]:
        async with running(tmp_path) as sshd:
            other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
            sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {other}")
            text = await _refused(sshd)
            assert not sshd.commands
            return text, sshd.port

    text, port = asyncio.run(scenario())
    assert "ANOTHER HOST KEY" in text
    assert f"-R '[127.0.0.1]:{port}'" in text


def test_a_broken_known_hosts_line_names_the_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as sshd:
            sshd.known_hosts.write_text("@nonsense x y z\n")
            with pytest.raises(InputRefused, match="known_hosts: Invalid known hosts marker"):
                await sshd.access().connect(SERVER)

    asyncio.run(scenario())


def test_a_key_that_the_server_does_not_know_is_refused(tmp_path: Path) -> None:
    async def scenario() -> str:
        async with running(tmp_path) as sshd:
            stranger = asyncssh.generate_private_key("ssh-ed25519")
            sshd.client_key.write_bytes(stranger.export_private_key())
            return await _refused(sshd)

    text = asyncio.run(scenario())
    assert text.startswith("ServerRefused")
    assert "does not let root in with" in text
    assert "ssh-copy-id" in text


@pytest.mark.parametrize("content", [None, b"not a key"])
def test_an_unreadable_client_key_is_the_users_to_mend(
    tmp_path: Path, content: bytes | None
) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as sshd:
            sshd.client_key.unlink()
            if content is not None:
                sshd.client_key.write_bytes(content)
            with pytest.raises(InputRefused, match="client_key cannot be read as a private key"):
                await sshd.access().connect(SERVER)

    asyncio.run(scenario())


def test_nobody_listening_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    access = SshAccess("root", port, None, Path("/nonexistent"))
    with pytest.raises(ServerUnreachable, match=r"web1 .* refused the connection"):
        asyncio.run(access.connect(SERVER))


def test_a_server_that_accepts_and_says_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssh, "CONNECT_WITHIN_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        access = SshAccess("root", silent.getsockname()[1], None, Path("/nonexistent"))
        with pytest.raises(ServerUnreachable, match="did not let us in within"):
            asyncio.run(access.connect(SERVER))


def test_sudo_that_wants_a_password_is_said(tmp_path: Path) -> None:
    async def refuse(sshd: Sshd, process: Process) -> None:
        assert sshd.commands[0].startswith("sudo -n python3 -I -c ")
        process.stderr.write(b"sudo: a password is required\n")
        process.exit(1)

    async def scenario() -> str:
        async with running(tmp_path, refuse) as sshd:
            return await _refused(sshd, "admin")

    text = asyncio.run(scenario())
    assert text.startswith("ServerRefused")
    assert "sudo wants a password or refuses (sudo: a password is required)" in text


@pytest.mark.parametrize(
    ("said", "complained", "code", "expected"),
    [
        (b"", b"bash: python3: command not found\n", 127, "has no python3"),
        (b"Welcome!\n", b"", 0, r"answered b'Welcome!\\n'.*start-up file"),
        (b"", b"Traceback:\nSyntaxError: no\n", 1, "does not start there: SyntaxError: no"),
        (b"failed No space left on device\n", b"", 1, "cannot be kept there: No space left"),
    ],
)
def test_a_node_that_does_not_start_says_why(
    tmp_path: Path, said: bytes, complained: bytes, code: int, expected: str
) -> None:
    async def fail(_: Sshd, process: Process) -> None:
        process.stdout.write(said)
        process.stderr.write(complained)
        process.exit(code)

    async def scenario() -> None:
        async with running(tmp_path, fail) as sshd:
            with pytest.raises(ServerFailed, match=f"web1.*{expected}"):
                await sshd.access().connect(SERVER)

    asyncio.run(scenario())


def test_a_connection_cut_in_the_middle_names_server_and_operation(tmp_path: Path) -> None:
    async def cut(_: Sshd, process: Process) -> None:
        process.stdout.write(b"have\n")
        await process.stdin.readline()
        process.stdout.write(b'{"id":1,"event":{"step":"packages"}}\n')
        await process.stdin.readline()

    async def scenario() -> None:
        async with running(tmp_path, cut) as sshd:
            session = await sshd.access().connect(SERVER)
            began = asyncio.Event()
            asking = asyncio.ensure_future(session.request("apply", on_event=lambda _: began.set()))
            await began.wait()
            sshd.connections[0].abort()
            with pytest.raises(
                ServerUnreachable, match=r"web1 \(127.0.0.1\) was lost during apply"
            ):
                await asking
            with pytest.raises(ServerUnreachable, match="was lost during apply"):
                await session.request("state")
            await session.close()

    asyncio.run(scenario())


def test_silence_ends_the_session_in_time(tmp_path: Path) -> None:
    async def hang(_: Sshd, process: Process) -> None:
        process.stdout.write(b"have\n")
        await process.stdin.read()

    async def scenario() -> None:
        async with asyncio.timeout(30), running(tmp_path, hang) as sshd:
            session = await sshd.access().connect(SERVER)
            with pytest.raises(ServerUnreachable, match=r"said nothing for 0\.2 s"):
                await session.request("state", within_s=0.2)
            await session.close()

    asyncio.run(scenario())


def test_a_session_given_up_in_the_middle_is_not_used_again(tmp_path: Path) -> None:
    async def slow(_: Sshd, process: Process) -> None:
        process.stdout.write(b"have\n")
        await process.stdin.read()

    async def scenario() -> None:
        async with running(tmp_path, slow) as sshd:
            session = await sshd.access().connect(SERVER)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(session.request("apply"), 0.1)
            with pytest.raises(ServerUnreachable, match="given up during apply"):
                await session.request("state")
            await session.close()

    asyncio.run(scenario())


def test_closing_does_not_wait_for_ever_for_a_hung_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "END_WITHIN_S", 0.2)

    async def hang(_: Sshd, process: Process) -> None:
        process.stdout.write(b"have\n")
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with running(tmp_path, hang) as sshd:
            session = await sshd.access().connect(SERVER)
            async with asyncio.timeout(30):
                await session.close()

    asyncio.run(scenario())


def test_an_idle_session_says_that_it_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "HERE_S", 0.05)
    heard: list[bytes] = []
    enough = asyncio.Event()

    async def listens(_: Sshd, process: Process) -> None:
        process.stdout.write(b"have\n")
        while line := await process.stdin.readline():
            heard.append(line)
            if len(heard) == 3:
                enough.set()
            if line.strip():
                process.stdout.write(b'{"id":1,"result":{}}\n')

    async def scenario() -> None:
        async with running(tmp_path, listens) as sshd:
            session = await sshd.access().connect(SERVER)
            async with asyncio.timeout(10):
                await enough.wait()
            await session.request("release.list")
            await session.close()

    asyncio.run(scenario())
    assert heard[:3] == [b"\n"] * 3
    assert [line for line in heard if line.strip()] == [b'{"op":"release.list","id":1}\n']
