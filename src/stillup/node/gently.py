"""Long work on a server that serves: with what the others leave, told of, and never left behind.

A program that is started here ends with this process, however that ends, and is killed when it
says nothing for ``SILENT_S``. While it works the controller is told so every few seconds.
"""

import contextlib
import os
import select
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from stillup.errors import ServerFailed
from stillup.node.machine import ENVIRONMENT
from stillup.node.requests import Session

PIECE_BYTES = 256 * 1024
TELL_EVERY_S = 5.0
SILENT_S = 600.0
"""A program that streams and gives nothing for so long waits for what never comes."""
# The kernel kills it when we die, also by SIGKILL; processor and disk are only what is left over.
GENTLY = ("setpriv", "--pdeathsig", "KILL", "--", "nice", "-n", "19", "ionice", "-c", "3")
AS_MYSQL = (
    *("nice", "-n", "19", "ionice", "-c", "3", "setpriv", "--reuid=mysql", "--regid=mysql"),
    *("--init-groups", "--pdeathsig", "KILL", "--"),
)
"""As above and as the account of MariaDB: a change of account forgets the death signal."""


@dataclass
class Program:
    """A program under way."""

    argv: Sequence[str]
    process: "subprocess.Popen[bytes]"
    _err: IO[bytes]

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return self.argv[0].rsplit("/", 1)[-1]

    def words(self) -> str:
        """Return what it said on its error output so far."""
        self._err.seek(0)
        return self._err.read().decode(errors="replace")

    def reason(self) -> str:
        """Return the line that says why it failed."""
        lines = [line.strip() for line in self.words().splitlines() if line.strip()]
        for word in ("error", "fail"):
            if told := [line for line in lines if word in line.lower()]:
                return told[0][:300]
        return lines[-1][:300] if lines else f"it ended with {self.process.returncode}"

    def end_well(self, session: Session) -> None:
        """Wait for its end, telling the controller meanwhile.

        Raises:
            ServerFailed: If it failed; with its reason.
        """
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self.process.wait(TELL_EVERY_S)
                break
            session.event("works", self.name)
        if code != 0:
            raise ServerFailed(f"{self.name} failed: {self.reason()}")


@contextmanager
def started(
    argv: Sequence[str], *, before: Sequence[str] = GENTLY, takes: bool = False, gives: bool = False
) -> Iterator[Program]:
    """Start a program; it has ended when the context does, whatever happened.

    Args:
        argv: The program and its arguments; no secret among them.
        before: What it is started by.
        takes: Whether it reads a pipe from us.
        gives: Whether it writes a pipe to us; else what it says goes with its errors.

    Raises:
        ServerFailed: If it is not there.
    """
    with os.fdopen(os.memfd_create("stillup"), "w+b", buffering=0) as err:
        try:
            process = subprocess.Popen(
                [*before, *argv],
                stdin=subprocess.PIPE if takes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if gives else err,
                stderr=err,
                env=ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise ServerFailed(f"{before[0] if before else argv[0]} is missing") from error
        try:
            yield Program(argv, process, err)
        finally:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    # What it did not take cannot be flushed into it any more.
                    with contextlib.suppress(OSError):
                        pipe.close()
            process.wait()


def run(session: Session, argv: Sequence[str]) -> None:
    """Run a program to its end.

    Raises:
        ServerFailed: If it failed.
    """
    with started(argv) as program:
        program.end_well(session)


def given(session: Session, program: Program) -> Iterator[bytes]:
    """Yield what a program streams, telling the controller while it gives nothing.

    Raises:
        ServerFailed: If it gives nothing for ``SILENT_S``.
    """
    pipe = program.process.stdout
    assert pipe is not None
    poll = select.poll()
    poll.register(pipe.fileno(), select.POLLIN)
    silent_s = 0.0
    while True:
        if not poll.poll(TELL_EVERY_S * 1000):
            silent_s += TELL_EVERY_S
            if silent_s >= SILENT_S:
                raise ServerFailed(
                    f"{program.name} gave nothing for {SILENT_S:g} s: {program.reason()}"
                )
            session.event("waits", program.name)
            continue
        silent_s = 0.0
        if not (piece := os.read(pipe.fileno(), PIECE_BYTES)):
            return
        yield piece


def feed(program: Program, pieces: Iterable[bytes], *, before_each: Callable[[int], None]) -> None:
    """Give a program what it reads; ``before_each`` is told how much there is of the next piece.

    A program that takes no more has failed: that shows at its end, with its reason.
    """
    pipe = program.process.stdin
    assert pipe is not None
    taken = True
    for piece in pieces:
        before_each(len(piece))
        try:
            if taken:
                pipe.write(piece)
        except BrokenPipeError:
            taken = False
    with contextlib.suppress(BrokenPipeError):
        pipe.close()
