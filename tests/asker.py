"""A client that asks on a new connection at a fixed pace, whatever becomes of its questions.

Open loop: each question is asked when it is due, not when the last one was answered, so an
outage shows at its full length. Times are on ``CLOCK_MONOTONIC``.

Run as a program it asks until it is terminated and writes one JSON object a line:
``python tests/asker.py --url http://10.0.0.1/ --output FILE [--every 0.005] [--patience 0.3]``.
"""

import argparse
import errno
import itertools
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from stillup.priority import preferred

READY_S = 5.0


@dataclass(frozen=True)
class Asked:
    """One question and what became of it.

    Args:
        due_s: When it was asked.
        took_s: Until it was answered or given up.
        error: Empty if it was answered well; else the class of failure.
        body: The answer's first line, to tell who answered.
        late_s: How long after it was due it was asked: what the client's own machine did.
    """

    due_s: float
    took_s: float
    error: str
    body: str = ""
    late_s: float = 0.0

    @property
    def done_s(self) -> float:
        """When it was answered or given up."""
        return self.due_s + self.took_s


@dataclass(frozen=True)
class Outage:
    """A time without a good answer."""

    from_s: float
    to_s: float

    @property
    def lasted_s(self) -> float:
        """How long it was."""
        return self.to_s - self.from_s


def read(file: Path) -> list[Asked]:
    """Return what an asker wrote, in order of asking."""
    found = [Asked(**json.loads(line)) for line in file.read_text().splitlines() if line]
    return sorted(found, key=lambda asked: asked.due_s)


def outages(asked: Iterable[Asked], longer_than_s: float = 0.05) -> list[Outage]:
    """Return the times between one good answer and the next that were longer than that."""
    good = sorted(each.done_s for each in asked if not each.error)
    return [Outage(a, b) for a, b in itertools.pairwise(good) if b - a > longer_than_s]


def longest_outage_s(asked: Iterable[Asked]) -> float:
    """Return the longest time between two good answers, in seconds."""
    return max((outage.lasted_s for outage in outages(asked, 0.0)), default=float("inf"))


def latest_s(asked: Iterable[Asked]) -> float:
    """Return how late the client itself was at most: an outage may be that much shorter."""
    return max((each.late_s for each in asked), default=0.0)


class Asker:
    """An asker that runs as a program of its own, in another network namespace.

    Args:
        enter: The words that run a command there: ``("ip", "netns", "exec", NAME)``.
        url: What to ask for.
        output: Where the answers go.
        every_s: The pace.
        patience_s: How long an answer may take.
    """

    def __init__(
        self,
        enter: Sequence[str],
        url: str,
        output: Path,
        *,
        every_s: float = 0.005,
        patience_s: float = 0.3,
    ) -> None:
        self.output = output
        argv = [*enter, sys.executable, str(Path(__file__).resolve())]
        argv += ["--url", url, "--output", str(output)]
        argv += ["--every", str(every_s), "--patience", str(patience_s)]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != b"asking":
            self._process.kill()
            raise RuntimeError("the asker did not start")

    def stop(self) -> list[Asked]:
        """End the asking and return what was answered."""
        self._process.terminate()
        self._process.wait(READY_S)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return read(self.output)


# -- the program ---------------------------------------------------------------------------


@dataclass
class Question:
    """A question under way."""

    due_s: float
    connection: socket.socket
    late_s: float
    sent: bool = False
    received: bytes = b""


@dataclass
class Run:
    """Everything under way."""

    address: tuple[str, int]
    request: bytes
    patience_s: float
    done: list[Asked] = field(default_factory=list)
    selector: selectors.BaseSelector = field(default_factory=selectors.EpollSelector)
    open: dict[socket.socket, Question] = field(default_factory=dict)

    def ask(self, due_s: float) -> None:
        """Begin a question."""
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        question = Question(due_s, connection, time.monotonic() - due_s)
        number = connection.connect_ex(self.address)
        if number not in (0, errno.EINPROGRESS):
            connection.close()
            took_s = time.monotonic() - due_s
            self.done.append(Asked(due_s, took_s, errno.errorcode[number], "", question.late_s))
            return
        self.open[connection] = question
        self.selector.register(connection, selectors.EVENT_WRITE, question)

    def go_on(self, question: Question) -> None:
        """Take a question one step further."""
        connection = question.connection
        try:
            if not question.sent:
                number = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if number:
                    self.end(question, errno.errorcode[number])
                    return
                connection.send(self.request)
                question.sent = True
                self.selector.modify(connection, selectors.EVENT_READ, question)
                return
            data = connection.recv(65536)
        except OSError as error:
            self.end(question, errno.errorcode.get(error.errno or 0, "OSError"))
            return
        question.received += data
        if not data:
            self.end(question, self.verdict(question.received))

    def verdict(self, received: bytes) -> str:
        """Return what is wrong with a whole answer; empty if nothing is."""
        words = received.partition(b"\r\n")[0].split(b" ")
        if len(words) < 2:
            return "cut off"
        return "" if words[1] == b"200" else words[1].decode(errors="replace")

    def end(self, question: Question, error: str) -> None:
        """Note what became of a question."""
        body = question.received.partition(b"\r\n\r\n")[2].partition(b"\n")[0]
        took_s = time.monotonic() - question.due_s
        said = body.decode(errors="replace")[:80]
        self.done.append(Asked(question.due_s, took_s, error, said, question.late_s))
        self.selector.unregister(question.connection)
        question.connection.close()
        del self.open[question.connection]

    def give_up(self, now_s: float, error: str) -> None:
        """End what has waited for longer than its patience."""
        for question in list(self.open.values()):
            if now_s - question.due_s < self.patience_s:
                return  # they are in order
            self.end(question, error)


def ask(url: str, output: Path, every_s: float, patience_s: float) -> None:
    """Ask until terminated, then write what became of it all."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    request = (
        f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
    )
    run = Run((host, parts.port or 80), request.encode(), patience_s)
    running, starter = [True], os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    sys.stdout.write("asking\n")
    sys.stdout.flush()
    due_s = time.monotonic()
    while running or run.open:
        if os.getppid() != starter:  # it has a session of its own, so a Ctrl-C does not end it
            running.clear()
        now_s = time.monotonic()
        while running and due_s <= now_s:
            run.ask(due_s)
            due_s += every_s
        for key, _ in run.selector.select(max(0.0, min(due_s - time.monotonic(), every_s))):
            run.go_on(key.data)
        run.give_up(time.monotonic(), "no answer")
        if not running:
            due_s = time.monotonic() + every_s
    with output.open("w") as lines:
        lines.writelines(json.dumps(asdict(each)) + "\n" for each in run.done)


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--every", type=float, default=0.005)
    parser.add_argument("--patience", type=float, default=0.3)
    told = parser.parse_args()
    # What else this machine does must not look like an outage.
    preferred()
    ask(told.url, told.output, told.every, told.patience)


if __name__ == "__main__":
    main()
