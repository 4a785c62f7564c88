"""Starts the drill's programs, and reads what they write while they run.

How a program is started is the caller's: it is handed a function that wraps an argument list,
so that in the lab the program runs as the lab's client and elsewhere as it is.
"""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import NoReturn

from stillup.errors import DrillFailed

Wrap = Callable[[Sequence[str]], Sequence[str]]


def as_it_is(words: Sequence[str]) -> Sequence[str]:
    """Return the words: what runs on this machine itself needs no wrapping."""
    return words


class Program:
    """A program that is running, and is told to end by the end of its standard input.

    It also ends when this process dies, and not by a Ctrl-C that is meant for this process.

    Args:
        module: What is run, as ``python -m`` has it.
        settings: The first line of its input.
        wrap: See the module.
        read: Takes each line that it writes; called in a thread of its own.
    """

    def __init__(self, module: str, settings: str, wrap: Wrap, read: Callable[[str], None]) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [*wrap([sys.executable, "-P", "-m", module])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self._first = threading.Event()
        self._spoke = False
        self._reader = threading.Thread(target=self._read, args=(read,), daemon=True)
        self._reader.start()
        try:
            self._process.stdin.write(settings)
            self._process.stdin.flush()
        except BrokenPipeError:
            self._fail()

    def await_first(self, within_s: float) -> None:
        """Wait until it has written its first line.

        Raises:
            DrillFailed: If it ended without one, with what it said, or took too long.
        """
        if not self._first.wait(within_s):
            self.kill()
            raise DrillFailed(f"{self._module} did not begin within {within_s:.0f} s")
        if not self._spoke:
            self._fail()

    def end(self, within_s: float) -> None:
        """Tell it to end and wait until all that it wrote is read.

        Raises:
            DrillFailed: If it failed or does not end.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._reader.join(within_s)
        if self._reader.is_alive():
            self.kill()
            raise DrillFailed(f"{self._module} did not end within {within_s:.0f} s")
        if self._process.wait() != 0:
            self._fail()

    def kill(self) -> None:
        """End it at once; nothing happens if it has ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        with contextlib.suppress(BrokenPipeError):  # what it was told and did not read
            assert self._process.stdin is not None
            self._process.stdin.close()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _read(self, read: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            read(line)
            self._spoke = True
            self._first.set()
        self._process.wait()
        self._first.set()

    def _fail(self) -> NoReturn:
        """Raise what the program said when it ended by itself."""
        code = self._process.wait()
        assert self._process.stderr is not None
        said = self._process.stderr.read().strip().splitlines()
        self.kill()
        last = said[-1] if said else "it said nothing"
        raise DrillFailed(f"{self._module} ended with {code}: {last}")
