"""Runs the commands that go with gaining and losing an address, in a process of its own.

Apart from the daemon, because starting a process takes as long as the machine is busy, and the
daemon has a lease to renew. It gets one message of JSON a job on descriptor 0, runs the job's commands one
after another and tells what became of each, one message each on descriptor 1. It ends when
the daemon is gone and its jobs are done. What it runs has none of the daemon's rights.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping

LIMIT_S = 10.0
"""How long a command may take; then it is killed with all it has started."""

LONGEST_BYTES = 65_536

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_AMBIENT, _CLEAR = 47, 4


def serve(jobs: int, told: int) -> None:
    """Run jobs until there are no more.

    Args:
        jobs: Descriptor of a socket that keeps messages apart: one job each.
        told: Where it is told what became of each command, a message each.
    """
    while data := os.read(jobs, LONGEST_BYTES):
        job = json.loads(data)
        for command in job["commands"]:
            outcome = {**job["about"], **ran(command, job["environment"])}
            # The daemon may be gone by now; what it asked for is done all the same.
            with contextlib.suppress(OSError):
                os.write(told, json.dumps(outcome).encode())


def ran(command: list[str], environment: Mapping[str, str]) -> dict[str, object]:
    """Run one command; return its words' first, how it ended and how long it took."""
    began_s = time.monotonic()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            env={"PATH": PATH, **environment},
            start_new_session=True,
        )
    except OSError as failure:
        return {"command": command[0], "error": failure.strerror or str(failure), "took_s": 0.0}
    error = _outcome(process)
    return {
        "command": command[0],
        "error": error,
        "took_s": round(time.monotonic() - began_s, 3),
    }


def _outcome(process: subprocess.Popen[bytes]) -> str:
    """Return how it ended, in words; empty if it ended well."""
    try:
        code = process.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"killed after {LIMIT_S:g} s"
    return "" if code == 0 else _ended(code)


def _ended(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"ended by {signal.Signals(-code).name}"


def main() -> None:
    """Give up the daemon's rights, and serve it."""
    # systemd ends all processes of the service at once; what goes with letting go comes after.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_AMBIENT, _CLEAR, 0, 0, 0)
    serve(0, 1)


if __name__ == "__main__":
    main()
