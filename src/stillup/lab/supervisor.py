"""Runs one machine: a process of its own, from power on to power off.

It is a container (systemd-nspawn) or, where its record says so, User-Mode Linux (``uml``).

Each boot gets new namespaces: the network, so that a machine finds nothing of its life
before; and the mounts, so that the overlay, and what systemd-nspawn puts below /run, is seen
by nobody else and goes away with the machine's last process, however it ends.

systemd-nspawn leaves with status 133 when the machine wants to boot again; everything else
is a machine that is off. User-Mode Linux boots again by itself, in the namespaces it has: its
network's life is the kernel's own. Killing nspawn alone would leave the machine running, so power is
taken from the whole control group (``machine.power_off``).

Source: systemd-nspawn(1), ``--keep-unit``; exit status in systemd.service(5).
"""

import fcntl
import os
import sys
from pathlib import Path
from typing import NoReturn

from stillup.errors import LabFailed
from stillup.lab import cgroup, network, uml
from stillup.lab.commands import run
from stillup.lab.namespace import MS_PRIVATE, MS_REC, NEW_MOUNTS, NEW_NETWORK, mount, unshare
from stillup.lab.state import Home, read_record
from stillup.node.message import JsonObject

_BOOT_AGAIN = 133
_CONSOLE_LIMIT_BYTES = 4_000_000

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    # Debian 13's systemd runs on the new kind of cgroups only, even where the host has the old.
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
    # A machine may set its own network sysctls, and no others.
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
}


def group_of(home: Home, server: str) -> Path:
    """Return the control group of one machine."""
    return cgroup.group_of(home.id) / "machines" / server


def supervise(home: Home, server: str) -> int:
    """Boot a machine, again each time it reboots, until it is off."""
    folder = home.machine(server)
    lock = os.open(folder / "running.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # Only one supervisor a machine, though a killed tool and the next may both start one.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    group = group_of(home, server)
    cgroup.join(group / "supervisor")
    while True:
        _trim_console()
        child = os.fork()
        if child == 0:
            _become_machine(home, server, group / "boot")
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != _BOOT_AGAIN:
            return 0
        # Whatever outlived its init is of the life before.
        cgroup.kill(group / "boot")


def _become_machine(home: Home, server: str, group: Path) -> NoReturn:
    """Turn this process into the machine."""
    try:
        record = _record(home, server)
        cgroup.join(group)
        unshare(NEW_MOUNTS | NEW_NETWORK)
        as_uml = uml.is_one(record)
        # First the network: without the host's /run, where the lab runs is not to be found.
        mac = None if as_uml else str(record["mac"])
        network.plug(home, server, mac, direct="direct" in record)
        mount("none", Path("/"), flags=MS_REC | MS_PRIVATE)
        # systemd-nspawn keeps locks and sockets below /run by the machine's name alone; two
        # labs have machines of the same name.
        mount("tmpfs", Path("/run"), "tmpfs", data="mode=0755")
        if as_uml:
            uml.connect(record)
            uml.become(home.machine(server), server, record)
        if record.get("own") is True:
            _mount_own_disk(home.machine(server), str(record["image"]))
        else:
            _mount_disk(home.machine(server), str(record["image"]))
        nspawn = _nspawn(home, server, fuse=record.get("fuse") is True)
        os.execvpe(nspawn[0], nspawn, _ENVIRONMENT)  # noqa: S606  # an argument list
    except (LabFailed, OSError) as error:
        os.write(2, f"stillup: {server} does not boot: {error}\n".encode())
        os._exit(1)


def _record(home: Home, server: str) -> JsonObject:
    record = read_record(home.machine(server) / "machine.json")
    if record is None:
        raise LabFailed(f"{server} has no disk; `stillup lab up` makes it")
    return record


def _mount_disk(folder: Path, image: str) -> None:
    layers = f"lowerdir={image},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    mount("overlay", folder / "root", "overlay", data=layers)


def _mount_own_disk(folder: Path, image: str) -> None:
    """Mount the machine's file system, which goes away with its last process, below its root."""
    own = folder / "disk"
    own.mkdir(exist_ok=True)
    run(["mount", "-t", "ext4", "-o", "loop,discard", str(folder / uml.DISK), str(own)])
    for name in ("upper", "work"):
        (own / name).mkdir(exist_ok=True)
    # As uml does it: what makes this machine different from the others is below what it writes.
    layers = f"lowerdir={folder / 'upper'}:{image},upperdir={own / 'upper'},workdir={own / 'work'}"
    mount("overlay", folder / "root", "overlay", data=layers)


def _nspawn(home: Home, server: str, *, fuse: bool) -> list[str]:
    return [
        "systemd-nspawn",
        "--quiet",
        "--boot",
        # One control group a machine, ours: nspawn's own would need systemd as the host's init.
        "--keep-unit",
        "--register=no",
        f"--machine={server}",
        f"--directory={home.machine(server) / 'root'}",
        "--network-namespace-path=/proc/self/ns/net",
        # As on a real server, root rules the network and a daemon may lock its memory. Not CAP_SYS_TIME: there is only
        # one clock, the host's.
        "--capability=CAP_NET_ADMIN,CAP_IPC_LOCK",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=read-only",
        # For the servers that mount a file system which is a process; no other machine has it.
        *(["--bind=/dev/fuse"] if fuse else []),
    ]


def _trim_console() -> None:
    if os.fstat(1).st_size > _CONSOLE_LIMIT_BYTES:
        os.ftruncate(1, 0)


if __name__ == "__main__":
    raise SystemExit(supervise(Home(Path(sys.argv[1])), sys.argv[2]))
