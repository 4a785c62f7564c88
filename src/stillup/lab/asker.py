"""A client on the lab's LAN that asks for a page every few milliseconds, and writes down each answer.

``Asking`` starts it as a process of the lab, in the client's namespace; the process is this
module run as a program. It ends by itself: after its time, or when nobody reads it any more.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from stillup.errors import LabFailed
from stillup.lab.answers import Answer, parse
from stillup.lab.lab import Lab
from stillup.lab.shell import client_command
from stillup.priority import preferred

TIMEOUT_S = 1.0
_ERRORS = {
    ConnectionRefusedError: "refused",
    ConnectionResetError: "reset",
    BrokenPipeError: "reset",
    TimeoutError: "timed out",
    asyncio.IncompleteReadError: "cut short",
}


class Asking:
    """A client that is asking; answers pile up in it until ``stop``."""

    def __init__(self, process: "subprocess.Popen[str]", balancer: str) -> None:
        """Wrap the running client and who answered it first."""
        self._process = process
        self.balancer = balancer

    def stop(self) -> list[Answer]:
        """Let it finish what is under way and return every answer.

        Raises:
            LabFailed: If the client died.
        """
        assert self._process.stdin is not None
        if self._process.poll() is None:
            self._process.stdin.close()
        assert self._process.stdout is not None
        answers = [parse(line) for line in self._process.stdout]
        code = self._process.wait(10 * TIMEOUT_S)
        if code != 0:
            raise LabFailed(f"the asking client ended with {code}; is the lab up?")
        return answers


@contextmanager
def asking(
    lab: Lab, path: str, *, every_s: float = 0.005, timeout_s: float = TIMEOUT_S
) -> Iterator[Asking]:
    """Ask for ``path`` through the virtual IP every ``every_s``, each time on a new connection.

    The block begins when the first answer was good; leaving it ends the client.

    Raises:
        LabFailed: If no good answer comes at all within 10 s.
    """
    words = [
        sys.executable,
        "-P",
        "-m",
        "stillup.lab.asker",
        str(lab.farm.vip.first),
        lab.farm.site.hosts[0],
        path,
        str(every_s),
        str(timeout_s),
    ]
    process = subprocess.Popen(
        client_command(lab.home, words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        if not first:
            raise LabFailed(f"no good answer for {path} through the virtual IP within 10 s")
        yield Asking(process, parse(first).balancer)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


class _Client:
    """The program: asks until its standard input ends, then writes all answers."""

    def __init__(self, address: str, request: bytes, every_s: float, timeout_s: float) -> None:
        self._address = address
        self._request = request
        self._every_s = every_s
        self._timeout_s = timeout_s
        self._answers: list[Answer] = []
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        await self._await_first()
        ended = self._loop.run_in_executor(None, sys.stdin.read)
        async with asyncio.TaskGroup() as group:
            intended_s = time.monotonic()
            while not ended.done():
                group.create_task(self._ask(intended_s))
                intended_s += self._every_s
                await asyncio.sleep(max(0.0, intended_s - time.monotonic()))
        self._write()

    def _write(self) -> None:
        for answer in self._answers:
            sys.stdout.write(json.dumps(answer.as_json()) + "\n")
        sys.stdout.flush()
        self._answers.clear()

    async def _await_first(self) -> None:
        until_s = time.monotonic() + 10.0
        while time.monotonic() < until_s:
            await self._ask(time.monotonic())
            if self._answers[-1].good:
                self._write()
                return
            self._answers.clear()
            await asyncio.sleep(self._every_s)
        raise SystemExit(1)

    async def _ask(self, intended_s: float) -> None:
        sent_s = time.monotonic()
        balancer = web = ""
        try:
            async with asyncio.timeout(self._timeout_s):
                outcome, balancer, web = await self._fetch()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            outcome = _ERRORS.get(type(error), "no route")
        self._answers.append(Answer(intended_s, sent_s, time.monotonic(), outcome, balancer, web))

    async def _fetch(self) -> tuple[str, str, str]:
        reader, writer = await asyncio.open_connection(self._address, 80)
        try:
            writer.write(self._request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
            if "content-length" in fields:
                await reader.readexactly(int(fields["content-length"]))
            else:
                await reader.read()
            status = head[0].split(" ")[1]
            return status, fields.get("x-balancer", ""), fields.get("x-web", "")
        finally:
            # A reset, not a FIN: hundreds of connections a second leave no TIME_WAIT behind.
            writer.transport.abort()


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("host")
    parser.add_argument("path")
    parser.add_argument("every_s", type=float)
    parser.add_argument("timeout_s", type=float)
    words = parser.parse_args()
    preferred()
    request = f"GET {words.path} HTTP/1.1\r\nHost: {words.host}\r\nConnection: close\r\n\r\n"

    async def run() -> None:
        await _Client(words.address, request.encode(), words.every_s, words.timeout_s).run()

    asyncio.run(run())


if __name__ == "__main__":
    _main()
