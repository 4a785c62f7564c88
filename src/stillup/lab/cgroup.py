"""The lab's control group: what runs in it is the lab, and nothing else is.

Every process of a lab is in ``<lab>/<thing>`` of the cgroup v2 tree, so that which processes
those are is never guessed from a name or a remembered number, and one write ends them all
(``cgroup.kill``, Linux 5.14).

Where systemd is PID 1, the tree is systemd's, and nobody else may make groups at its top; so
the lab there is a transient scope with ``Delegate=yes``, and below that the groups are ours.

Source: Documentation/admin-guide/cgroup-v2.rst; systemd's CGROUP_DELEGATION.
"""

import contextlib
import os
import select
import subprocess
import time
from pathlib import Path

from stillup.errors import LabFailed

_ALL_DEAD_S = 20.0


def systemd_is_init() -> bool:
    """Say whether this host was booted by systemd; see sd_booted(3)."""
    return Path("/run/systemd/system").is_dir()


def unified(mountinfo: str) -> Path | None:
    """Return where cgroup v2 is mounted, from the text of /proc/self/mountinfo.

    Hosts with the old kind have it beside, as ``/sys/fs/cgroup/unified``; see proc(5).
    """
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 ") and before.split()[3] == "/":
            return Path(before.split()[4])
    return None


def scope(lab: str) -> str:
    """Return the name of the lab's scope on a systemd host."""
    return f"stillup-lab-{lab}.scope"


def group_of(lab: str) -> Path:
    """Return the lab's group, whether or not it is there.

    Raises:
        LabFailed: If this host has no cgroup v2.
    """
    top = unified(Path("/proc/self/mountinfo").read_text())
    if top is None:
        raise LabFailed(
            "this host has no cgroup v2, which the lab's machines need:"
            " mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified"
        )
    if systemd_is_init():
        return top / "system.slice" / scope(lab)
    return top / "stillup-lab" / lab


def join(group: Path) -> None:
    """Move this process, with what it will start, into a group; it is made if need be.

    Only for a process with one thread.
    """
    group.mkdir(parents=True, exist_ok=True)
    (group / "cgroup.procs").write_text("0")


def processes(group: Path) -> list[int]:
    """Return the processes in a group and all groups below; none when there is no such group."""
    found: list[int] = []
    for folder, _, _ in os.walk(group):
        try:
            found += map(int, (Path(folder) / "cgroup.procs").read_text().split())
        except OSError:  # gone since it was listed
            continue
    return found


def populated(group: Path) -> bool:
    """Say whether any process lives in a group or below."""
    try:
        return "populated 1" in (group / "cgroup.events").read_text()
    except OSError:
        return False


def kill(group: Path) -> None:
    """End every process of a group at once, wait until they are gone, and remove the group.

    Raises:
        LabFailed: If a process does not die (it hangs in the kernel).
    """
    deadline = time.monotonic() + _ALL_DEAD_S
    while group.is_dir():
        _write_kill(group)
        _wait_empty(group, deadline)
        # A process that was just starting may have joined since: then it is not removed.
        if remove(group):
            return
        if time.monotonic() > deadline:
            raise LabFailed(f"processes in {group} do not end: {processes(group)}")


def remove(group: Path) -> bool:
    """Remove a group and those below, if nothing lives in them; say whether it is gone."""
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            Path(folder).rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True


def forget(lab: str) -> None:
    """Take away what is left of an empty lab's group: the scope, or the group of all labs."""
    if systemd_is_init():
        # It goes away by itself, but in its own time, and its name must be free for the next.
        stop = ["systemctl", "stop", "--quiet", scope(lab)]
        subprocess.run(stop, capture_output=True, timeout=30, check=False)
        return
    with contextlib.suppress(OSError):  # another lab is up
        group_of(lab).parent.rmdir()


def _write_kill(group: Path) -> None:
    try:
        (group / "cgroup.kill").write_text("1")
    except FileNotFoundError:
        if group.is_dir():
            raise LabFailed("this kernel is too old for the lab: it needs Linux 5.14") from None
    except OSError:  # removed meanwhile
        return


def _wait_empty(group: Path, deadline: float) -> None:
    """Wait for the kernel's word that the group is empty; it wakes pollers of the file."""
    try:
        descriptor = os.open(group / "cgroup.events", os.O_RDONLY)
    except OSError:
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLPRI)
        while True:
            # Reading it is what makes the next poll wait for a change after this moment.
            os.lseek(descriptor, 0, os.SEEK_SET)
            if b"populated 0" in os.read(descriptor, 4096):
                return
            left = deadline - time.monotonic()
            if left <= 0:
                return
            poll.poll(left * 1000)
    except OSError:  # ENODEV: the group was removed under us
        return
    finally:
        os.close(descriptor)
