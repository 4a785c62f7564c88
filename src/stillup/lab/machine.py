"""One machine as seen from outside: power on, power off, is it ready."""

import shutil
import socket
import subprocess
import sys
import time
from ipaddress import IPv4Address
from pathlib import Path
from threading import Event

from stillup.errors import LabFailed
from stillup.lab import cgroup, network, uml
from stillup.lab.namespace import SocketMaker, network_of
from stillup.lab.state import Home, read_record
from stillup.lab.supervisor import group_of

_START_S = 10.0
_RETRY_S = 0.03


def is_on(home: Home, server: str) -> bool:
    """Say whether a machine runs: booting, up, or about to boot again."""
    return cgroup.populated(group_of(home, server))


def power_on(home: Home, server: str) -> None:
    """Switch a machine on, if it is off; returns before it has booted."""
    if is_on(home, server):
        return
    folder = home.machine(server)
    # What a power cut left of the old life; the lock below keeps a second life out.
    cgroup.remove(group_of(home, server))
    with (folder / "console.log").open("ab") as console:
        supervisor = subprocess.Popen(
            [sys.executable, "-P", "-m", "stillup.lab.supervisor", str(home.path), server],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
            cwd="/",
            umask=0o022,
        )
    _wait_joined(home, server, supervisor)


def power_off(home: Home, server: str) -> None:
    """Pull a machine's plug: its link goes down and every process of it dies at once.

    The host's page cache survives, so what the machine had written and not yet synced is
    still on its disk: a real power cut can lose more.
    """
    network.unplug(home, server)
    cgroup.kill(group_of(home, server))


def remove(home: Home, server: str) -> None:
    """Take a machine away, disk and all."""
    power_off(home, server)
    shutil.rmtree(home.machine(server), ignore_errors=True)


def init(home: Home, server: str) -> int | None:
    """Return the host's number for a machine's process 1, or None when it is off.

    Of User-Mode Linux it is the kernel itself: all of it is in the machine's network namespace.
    """
    boot = group_of(home, server) / "boot"
    if is_uml(home, server):
        return next(filter(_is_kernel, sorted(cgroup.processes(boot))), None)
    # nspawn puts the machine's processes into "payload"; its systemd itself into init.scope.
    for group in (boot / "payload" / "init.scope", boot / "payload"):
        for process in cgroup.processes(group):
            if _is_first(process):
                return process
    return None


def wait_ready(home: Home, server: str, address: IPv4Address, within_s: float, stop: Event) -> bool:
    """Wait until a machine's sshd answers at its own address.

    Returns:
        False if ``stop`` was set first.

    It is asked from inside the machine's network namespace, so that a link that is cut on
    purpose is no obstacle, and no failed address resolution has to time out.

    Raises:
        LabFailed: If the machine dies or is not ready in time, with its console's last words.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        process = init(home, server)
        if process is not None and _answers(process, address):
            return True
        if not is_on(home, server):
            raise LabFailed(f"{server} did not boot: {console_tail(home, server)}")
        if stop.wait(_RETRY_S):
            return False
    raise LabFailed(
        f"{server} was not ready within {within_s:.0f} s: {console_tail(home, server)};"
        f" the whole of it is in {home.machine(server) / 'console.log'}"
    )


def console_tail(home: Home, server: str) -> str:
    """Return the last line on a machine's console."""
    try:
        text = (home.machine(server) / "console.log").read_bytes()[-4096:]
    except FileNotFoundError:
        return "nothing on its console"
    lines = [line for line in text.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "nothing on its console"


def memory_bytes(home: Home, server: str) -> int:
    """Return the memory that a machine's processes have to themselves and share (PSS)."""
    return sum(map(_share_bytes, cgroup.processes(group_of(home, server))))


def _share_bytes(process: int) -> int:
    try:
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(
        int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")
    )


def _is_first(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
    return len(numbers) == 3 and numbers[-1] == "1"


def _is_kernel(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/exe").readlink().name == uml.PROGRAM
    except OSError:
        return False


def is_uml(home: Home, server: str) -> bool:
    """Say whether a machine's disk was made for User-Mode Linux."""
    return uml.is_one(read_record(home.machine(server) / "machine.json") or {})


def has_own_disk(home: Home, server: str) -> bool:
    """Say whether what a container writes goes to a file system of its own."""
    return (read_record(home.machine(server) / "machine.json") or {}).get("own") is True


def _answers(process: int, address: IPv4Address) -> bool:
    maker = SocketMaker(network_of(process))
    try:
        with maker.make() as connection:
            connection.settimeout(2.0)
            connection.connect((str(address), 22))
            return connection.recv(4, socket.MSG_WAITALL) == b"SSH-"
    except (OSError, LabFailed):
        return False
    finally:
        maker.close()


def _wait_joined(home: Home, server: str, supervisor: subprocess.Popen[bytes]) -> None:
    """Wait until the supervisor is in the machine's control group, from where it is found.

    It outlives this process, so it is not waited for any longer than that.
    """
    deadline = time.monotonic() + _START_S
    while not is_on(home, server):
        try:
            supervisor.wait(_RETRY_S)
        except subprocess.TimeoutExpired:
            if time.monotonic() < deadline:
                continue
        else:
            # Another supervisor may have been faster; it may also have been and gone.
            if supervisor.returncode == 0:
                return
        raise LabFailed(f"{server} could not be started: {console_tail(home, server)}")
    supervisor.returncode = 0


def exists(home: Home, server: str) -> bool:
    """Say whether a machine has a disk."""
    return (home.machine(server) / "machine.json").exists()
