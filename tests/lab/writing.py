"""Writers on the lab's LAN: rows, files and the pages of one session, through the virtual IP.

Open loop: a row is due every 5 ms and a file every 100 ms, whatever became of those before; what
finds no free connection waits for one, and its time counts from when it was due. The pages of the
session follow one another. ``writing`` runs this module as a program in the client's namespace;
it ends when its standard input does, and then writes each deed as a line of JSON.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.lab.history import DONE, FAILED, FILE, ROW, SESSION, UNKNOWN, Deed, History
from tests.lab.running import RunningLab

from stillup.lab.shell import client_command
from stillup.priority import preferred

PROBE = Path(__file__).parent / "probe" / "probe.php"
ROW_EVERY_S = 0.005
FILE_EVERY_S = 0.1
SESSION_EVERY_S = 0.1
PATIENCE_S = 15.0
"""Longer than any bound on a gap: what waits through the gap is answered after it."""
CONNECTIONS = {ROW: 24, FILE: 4, SESSION: 1}
"""One address may have half of the farm's places under way with what it sends: 32 of one web server's."""
BEGIN_WITHIN_S = 60.0


def add_probe(farm_path: Path) -> None:
    """Put the page that is written through into a test's own site."""
    site = farm_path.parent / "site"
    (site / PROBE.name).write_bytes(PROBE.read_bytes())
    (site / "uploads").mkdir(exist_ok=True)
    (site / "uploads" / "readme.txt").write_text("What the site's users bring.\n")


class Writing:
    """Writers that are writing."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def stop(self) -> History:
        """Let them finish what is under way, and return all they did."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        if process.poll() is None:
            process.stdin.close()
        deeds = tuple(Deed(**json.loads(line)) for line in process.stdout)
        assert process.wait(2 * PATIENCE_S) == 0, "the writers died"
        return History(deeds)


@contextmanager
def writing(running: RunningLab, *, first: int, way: str = "") -> Iterator[Writing]:
    """Write until the block ends, with numbers from ``first`` on; it begins when writing works.

    ``way``: how the session is kept, as more of its page's query; the farm's own way if "".
    """
    words = [sys.executable, "-m", "tests.lab.writing", str(running.farm.vip.first)]
    words += [running.farm.site.hosts[0], str(first), f"--way={way}"]
    process = subprocess.Popen(
        client_command(running.lab.home, words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n", (
            "writing through the virtual IP does not work"
        )
        yield Writing(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


class _Refused(Exception):
    """Nothing was sent."""


@dataclass
class _Connection:
    """A kept-alive connection to the virtual IP, opened when it is needed."""

    address: str
    host: str
    cookie: str = ""
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, query: str) -> tuple[int, str, dict[str, str]]:
        """Return status, body and headers.

        Raises:
            _Refused: If nothing was sent, as no connection came about.
            OSError, asyncio.IncompleteReadError, TimeoutError: If the answer was lost.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._post(query)
        except BaseException:
            self.close()
            raise

    async def _post(self, query: str) -> tuple[int, str, dict[str, str]]:
        if self.streams is None:
            try:
                async with asyncio.timeout(1.0):
                    self.streams = await asyncio.open_connection(self.address, 80)
                    _ask_the_kernel(self.streams[1])
            except (OSError, TimeoutError) as error:
                raise _Refused(type(error).__name__) from error
        reader, writer = self.streams
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        writer.write(
            f"POST /probe.php?{query} HTTP/1.1\r\nHost: {self.host}\r\n{cookie}"
            "Content-Length: 0\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
        headers = {name.lower(): value for name, value in fields.items()}
        body = await _body(reader, headers)
        if "set-cookie" in headers:
            self.cookie = headers["set-cookie"].split(";")[0]
        has_end = {"content-length", "transfer-encoding"} & headers.keys()
        if headers.get("connection", "").lower() == "close" or not has_end:
            self.close()
        return int(head[0].split(" ")[1]), body.strip(), headers

    def close(self) -> None:
        if self.streams is not None:
            # A reset, so that hundreds of them leave nothing behind.
            self.streams[1].transport.abort()
            self.streams = None


def _ask_the_kernel(writer: asyncio.StreamWriter) -> None:
    """Have the kernel ask a silent balancer whether it knows the connection still.

    One that died while it had a request says nothing ever; whoever has the address by then does
    not know the connection, and says so.
    """
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
        connection.setsockopt(socket.IPPROTO_TCP, option, 1)


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> str:
    if "content-length" in headers:
        return (await reader.readexactly(int(headers["content-length"]))).decode()
    if headers.get("transfer-encoding") != "chunked":
        return (await reader.read()).decode()
    text = b""
    while size := int((await reader.readline()).strip(), 16):
        text += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return text.decode()


@dataclass
class _Writers:
    address: str
    host: str
    first: int
    way: str
    deeds: list[Deed] = field(default_factory=list)

    async def run(self) -> None:
        await self._begin()
        _say("begun")
        ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        async with asyncio.TaskGroup() as tasks:
            for kind, every_s in ((ROW, ROW_EVERY_S), (FILE, FILE_EVERY_S)):
                due: asyncio.Queue[tuple[int, float] | None] = asyncio.Queue()
                tasks.create_task(self._tell_due(due, kind, every_s, ended))
                for _ in range(CONNECTIONS[kind]):
                    tasks.create_task(self._write(due, kind))
            tasks.create_task(self._visit(ended))
        for deed in self.deeds:
            _say(json.dumps(asdict(deed)))

    async def _begin(self) -> None:
        connection = _Connection(self.address, self.host)
        ends_s = time.monotonic() + BEGIN_WITHIN_S
        while time.monotonic() < ends_s:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, _Refused):
                status, told, _ = await connection.post("do=begin")
                if (status, told) == (200, "begun"):
                    connection.close()
                    return
                sys.stderr.write(f"not yet: {status} {told}\n")
            await asyncio.sleep(0.5)
        raise SystemExit("writing through the virtual IP did not begin to work")

    async def _tell_due(
        self,
        due: "asyncio.Queue[tuple[int, float] | None]",
        kind: str,
        every_s: float,
        ended: "asyncio.Future[str]",
    ) -> None:
        number, due_s = self.first, time.monotonic()
        while not ended.done():
            due.put_nowait((number, due_s))
            number, due_s = number + 1, due_s + every_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        for _ in range(CONNECTIONS[kind]):
            due.put_nowait(None)

    async def _write(self, due: "asyncio.Queue[tuple[int, float] | None]", kind: str) -> None:
        connection = _Connection(self.address, self.host)
        while (one := await due.get()) is not None:
            number, due_s = one
            await self._do(connection, kind, f"do={kind}&n={number}", number, due_s)
        connection.close()

    async def _visit(self, ended: "asyncio.Future[str]") -> None:
        connection = _Connection(self.address, self.host)
        while not ended.done():
            due_s = time.monotonic()
            await self._do(connection, SESSION, f"do=session{self.way}", 0, due_s)
            await asyncio.sleep(max(0.0, due_s + SESSION_EVERY_S - time.monotonic()))
        connection.close()

    async def _do(
        self, connection: _Connection, kind: str, query: str, number: int, due_s: float
    ) -> None:
        headers: dict[str, str] = {}
        try:
            status, told, headers = await connection.post(query)
        except _Refused as error:
            outcome, told = FAILED, f"not sent: {error}"
            # Refused at once: another attempt in the same moment would be, too.
            await asyncio.sleep(0.05)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            outcome, told = UNKNOWN, type(error).__name__
        else:
            outcome = DONE if status == 200 else FAILED if status == 409 else UNKNOWN
            if kind == SESSION and outcome == DONE:
                number = int(told.removeprefix("page "))
            told = "" if outcome == DONE else f"{status} {told[:120]}"
        who = headers.get("x-balancer", ""), headers.get("x-web", "")
        self.deeds.append(Deed(kind, number, due_s, time.monotonic(), outcome, told, *who))


def _say(line: str) -> None:
    """Tell the test a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("host")
    parser.add_argument("first", type=int)
    parser.add_argument("--way", default="", help="how the session is kept, as probe.php has it")
    words = parser.parse_args()
    # Writers that are late have measured themselves.
    preferred()
    asyncio.run(_Writers(words.address, words.host, words.first, words.way).run())


if __name__ == "__main__":
    _main()
