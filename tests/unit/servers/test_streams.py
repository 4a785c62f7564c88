"""Streams over real SSH: whole, held back by the slower end, and ended by either."""

import asyncio
import hashlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.servers.sshd import SERVER, Process, Sshd, pumped, running

from stillup.errors import BackupFailed, ServerFailed, ServerUnreachable
from stillup.servers import channel
from stillup.servers.session import Session

MB = 1024 * 1024
NODE = Path(__file__).with_name("streaming_node.py")


async def _streaming_node(sshd: Sshd, process: Process) -> None:
    await pumped(process, sys.executable, str(NODE), str(sshd.folder))


async def _pieces(count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number % 256]) * MB


def test_what_the_server_streams_comes_whole_and_no_faster_than_it_is_taken(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with running(tmp_path, _streaming_node) as sshd:
            session = await sshd.access().connect(SERVER)
            assert isinstance(session, Session)
            stream = session._stream
            assert isinstance(stream, channel.Channel)
            size, most = 0, 0

            async def take(piece: bytes) -> None:
                nonlocal size, most
                size += len(piece)
                most = max(most, len(stream._received))
                if size < 20 * MB:
                    await asyncio.sleep(0.01)

            told = await session.download("give", {"size": 100 * MB}, take)
            assert told == {"done": True}
            assert size == 100 * MB
            assert most < 4 * channel.AHEAD_BYTES
            assert await session.request("same") == {"same": 1}
            await session.close()

    asyncio.run(scenario())


def test_what_is_streamed_to_the_server_arrives_whole(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path, _streaming_node) as sshd:
            session = await sshd.access().connect(SERVER)
            told = await session.upload("take", {"most": 100 * MB}, _pieces(40))
            digest = hashlib.sha256()
            async for piece in _pieces(40):
                digest.update(piece)
            assert told == {"bytes": 40 * MB, "sha256": digest.hexdigest()}
            assert await session.request("same") == {"same": 1}
            await session.close()

    asyncio.run(scenario())


def test_a_server_that_can_take_no_more_says_why(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path, _streaming_node) as sshd:
            session = await sshd.access().connect(SERVER)
            with pytest.raises(ServerFailed, match="web1: the disk is full"):
                await session.upload("take", {"most": 3 * MB}, _pieces(1000))
            await session.close()

    asyncio.run(scenario())


def test_a_stream_that_fails_here_never_ends_there(tmp_path: Path) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"x" * MB
        raise BackupFailed("the place gives no more")

    async def scenario() -> None:
        async with running(tmp_path, _streaming_node) as sshd:
            session = await sshd.access().connect(SERVER)
            with pytest.raises(BackupFailed, match="gives no more"):
                await session.upload("take", {"most": 100 * MB}, failing())
            with pytest.raises(ServerUnreachable):
                await session.request("same")
            await session.close()
            assert not (tmp_path / "whole").exists()

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["the line is cut", "the node is killed"])
def test_what_makes_the_stream_ends_with_its_taker(tmp_path: Path, how: str) -> None:
    argv = [sys.executable, str(NODE), str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        node.stdin.write(b'{"op":"give","id":1,"size":1000000000000}\n')
        node.stdin.flush()
        assert len(node.stdout.read(5 * MB)) == 5 * MB
        pid = int((tmp_path / "pid").read_text())
        assert _is_there(pid)
        if how == "the node is killed":
            node.kill()
        node.stdout.close()
        node.stdin.close()
        node.wait(10)
    until_s = time.monotonic() + 10
    while _is_there(pid):
        assert time.monotonic() < until_s
        time.sleep(0.02)


def _is_there(pid: int) -> bool:
    # One that nobody has waited for yet is dead all the same.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
