"""One machine: namespaces of its own (net, mount, pid, uts, ipc) over this host's files.

Debian's packages are laid over ``/usr``, ``/etc`` and ``/var`` of this machine alone, so every
daemon runs from where its package put it, and nothing is installed on the host.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SETUP = """\
set -e
hostname "$NAME"
mount --make-rprivate /
mkdir -p "$BOX"
mount -t tmpfs tmpfs "$BOX"
mount -t overlay -o "lowerdir=$ENGINES/usr:/usr" overlay /usr
for folder in etc var; do
    mkdir "$BOX/$folder" "$BOX/$folder.work"
    written="upperdir=$BOX/$folder,workdir=$BOX/$folder.work"
    mount -t overlay -o "lowerdir=$ENGINES/$folder:/$folder,$written" overlay "/$folder"
done
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/heartbeat /run/resource-agents /var/log
echo 'hacluster:x:990:990::/var/lib/heartbeat:/bin/false' >>/etc/passwd
echo 'haclient:x:990:' >>/etc/group
chown -R 990:990 /var/lib/heartbeat/ccm /var/lib/heartbeat/crm /run/heartbeat
exec python3 -S -E -c "$INIT"
"""
# The first process of a machine: it waits for the end of whatever lost its parent.
INIT = """\
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
print("ready", flush=True)
while True:
    signal.sigwait({signal.SIGCHLD})
    try:
        while os.waitpid(-1, os.WNOHANG)[0]: pass
    except ChildProcessError: pass
"""


class Box:
    """A machine that runs from its making until ``die``.

    Args:
        name: Its host name.
        space: The name of its network namespace, which exists.
        folder: Where it may write; seen inside under the same path.
        engines: Where the packages are unpacked.
    """

    def __init__(self, name: str, space: str, folder: Path, engines: Path) -> None:
        self.name = name
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._folder = folder
        words = ["ip", "netns", "exec", space, "unshare", "--mount", "--uts", "--ipc", "--pid"]
        words += ["--fork", "--kill-child", "--mount-proc", "sh", "-c", SETUP]
        told = {"NAME": name, "BOX": str(folder / f"{name}.box"), "ENGINES": str(engines)}
        environment = {**os.environ, **told, "INIT": INIT}
        with (folder / f"{name}.box.log").open("wb") as log:
            self._outer = subprocess.Popen(
                words, env=environment, stdout=subprocess.PIPE, stderr=log
            )
        assert self._outer.stdout is not None
        if self._outer.stdout.readline() != b"ready\n":
            said = (folder / f"{name}.box.log").read_text().strip()
            raise RuntimeError(f"the machine {name} did not start: {said}")
        self._first = children(self._outer.pid)[0]

    def start(
        self, what: str, words: Sequence[str], environment: dict[str, str] | None = None
    ) -> None:
        """Start something in it that stays; its output goes to a log."""
        with (self._folder / f"{self.name}.{what}.log").open("ab") as log:
            self.processes[what] = subprocess.Popen(
                [*self._enter(), *words],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})},
            )

    def run(self, words: Sequence[str], within_s: float = 30.0) -> None:
        """Run something in it that ends; its failure is not ours."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            argv = [*self._enter(), *words]
            subprocess.run(argv, capture_output=True, check=False, timeout=within_s)

    def pids(self, what: str) -> list[int]:
        """Return the numbers, on the host, of what was started and all it has started."""
        return [pid for child in children(self.processes[what].pid) for pid in family(child)]

    def signal(self, what: str, number: signal.Signals) -> None:
        """Send all of it a signal."""
        for pid in self.pids(what):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self, what: str) -> None:
        """Kill all of it, its youngest first, so that none can act on another's end."""
        for pid in reversed(self.pids(what)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.processes[what].wait(10)

    def die(self) -> None:
        """Kill everything in it at one instant."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._first, signal.SIGKILL)

    def end(self) -> None:
        """Kill everything and wait until it is gone."""
        self.die()
        for process in self.processes.values():
            # nsenter stops itself when what it waits for is stopped, and nobody lets it go on.
            process.kill()
        for process in (*self.processes.values(), self._outer):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        if self._outer.stdout is not None:
            self._outer.stdout.close()

    def _enter(self) -> list[str]:
        spaces = ["--mount", "--uts", "--ipc", "--net", "--pid"]
        return ["nsenter", "--target", str(self._first), *spaces, "--wd=/", "--"]


def children(pid: int) -> list[int]:
    """Return the numbers of the processes that a process has started."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(word) for word in (task / "children").read_text().split()]
    return found


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it, parents first."""
    return [pid, *(below for child in children(pid) for below in family(child))]


def python() -> str:
    """Return Debian's Python, which servers run the daemon with; else this one."""
    return "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
