"""The log in files: written by a process of its own, so that nobody waits for a disk."""

import subprocess
import sys
import time
from pathlib import Path

SAYS = """
import os, sys
from stillup.alone.log_files import write_to
write_to(tuple(sys.argv[1:]))
write_to(tuple(sys.argv[1:]))  # as a successor does
os.write(2, b"one line\\n")
print("said", flush=True)
sys.stdin.read()
os.write(2, b"another\\n")
"""


def _wait_for(file: Path, text: str) -> None:
    end_s = time.monotonic() + 10
    while not file.exists() or file.read_text() != text:
        assert time.monotonic() < end_s, file.read_text() if file.exists() else "no file"
        time.sleep(0.01)


def test_what_is_said_stands_in_every_file_and_on_standard_error(tmp_path: Path) -> None:
    one, other = tmp_path / "log/ha-log", tmp_path / "ha-debug"
    argv = [sys.executable, "-c", SAYS, str(one), str(other)]
    with subprocess.Popen(
        argv,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "said\n"
        _wait_for(one, "one line\n")
        # A file that was turned by its name is let go, and another one begun.
        one.rename(tmp_path / "ha-log.1")
        _, errors = started.communicate("", timeout=10)

    _wait_for(one, "another\n")
    _wait_for(other, "one line\nanother\n")
    assert errors == "one line\nanother\n"
