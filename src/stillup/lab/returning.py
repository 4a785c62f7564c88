"""Undoes a fault of the lab after its time, whatever became of the command that made it.

A process of its own, in the lab's control group: started and ready before the fault begins, so
that a command that is killed at any point leaves nothing that lasts. `lab down` ends it with
all the rest; switching on, healing and a later fault of the same kind end it, too.

    python -m stillup.lab.returning HOME power SERVER SECONDS
    python -m stillup.lab.returning HOME cut SERVER SECONDS CUTS     (as ``Cuts.record``)
"""

import json
import subprocess
import sys
import time
import uuid
from pathlib import Path

from stillup.errors import LabFailed
from stillup.lab import cgroup, machine, network
from stillup.lab.cuts import Cuts, cuts_from
from stillup.lab.state import Home, locked, read_record

POWER = "power"
CUT = "cut"
READY = b"ready\n"


def arm(home: Home, kind: str, server: str, for_s: float, cuts: Cuts | None = None) -> Path:
    """Have a fault undone ``for_s`` seconds from now; return the group of what will do it.

    Raises:
        LabFailed: If it could not be started: then the fault must not begin.
    """
    # The servers' names have no dot; one server may be cut off several others, each for its time.
    group = _groups(home) / f"{kind}.{server}.{uuid.uuid4().hex[:8]}"
    words = [str(home.path), kind, server, f"{for_s:g}", json.dumps((cuts or Cuts()).record())]
    with (home.path / "returning.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "stillup.lab.returning", str(group), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    if process.stdout is None:
        raise AssertionError  # it is a pipe
    with process.stdout as told:
        if told.readline() != READY:
            process.wait()
            raise LabFailed(f"what undoes the fault did not start; see {home.path}/returning.log")
    # It outlives this process, so it is not waited for.
    process.returncode = 0
    return group


def disarm(home: Home, kind: str, server: str | None = None) -> None:
    """End what would undo faults of a kind: a server's, or (None) all."""
    for group in sorted(_groups(home).glob(f"{kind}.{server or '*'}.*")):
        cgroup.kill(group)


def _groups(home: Home) -> Path:
    return cgroup.group_of(home.id) / "returns"


def main(words: list[str]) -> None:
    """Wait, and undo."""
    group, path, kind, server, for_s, cuts = words
    home = Home(Path(path))
    cgroup.join(Path(group))
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()
    time.sleep(float(for_s))
    with locked(home, f"undo {kind} of {server}", _silent):
        if read_record(home.record) is None:
            return
        if kind == POWER:
            machine.power_on(home, server)
        else:
            network.change_cuts(home, network.cuts(home).without(cuts_from(json.loads(cuts))))


def _silent(_: str) -> None:
    """Report nothing: nobody listens."""


if __name__ == "__main__":
    main(sys.argv[1:])
