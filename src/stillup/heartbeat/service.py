"""Finds the main process of the watched service without asking systemd: thin reading.

HAProxy runs as a master that starts a worker. The master is the process of the unit's cgroup
whose parent is not in the cgroup; where there is no such cgroup, it is what the pid file names
(which may be a leftover, so the cgroup goes first). Both can be read by anybody.
"""

from pathlib import Path

from stillup.heartbeat.settings import Watch

CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")


def main_process(watch: Watch) -> int | None:
    """Return the number of the service's main process; None if there is none."""
    if watch.unit is not None:
        for root in CGROUPS:
            found = _leader(f"{root}/system.slice/{watch.unit}/cgroup.procs")
            if found is not None:
                return found
    return _first_number(watch.pid_file) if watch.pid_file is not None else None


def parent(stat: str) -> int | None:
    """Return the parent in the text of ``/proc/N/stat``, whose second word may hold spaces."""
    words = stat.rpartition(")")[2].split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None


def _leader(procs: str) -> int | None:
    try:
        numbers = [int(word) for word in Path(procs).read_text().split()]
    except (OSError, ValueError):
        return None
    for number in sorted(numbers):
        try:
            above = parent(Path(f"/proc/{number}/stat").read_text())
        except OSError:
            continue
        if above is not None and above not in numbers:
            return number
    return None


def _first_number(file: str) -> int | None:
    try:
        words = Path(file).read_text().split()
    except (OSError, ValueError):
        return None
    return int(words[0]) if words and words[0].isdigit() else None
