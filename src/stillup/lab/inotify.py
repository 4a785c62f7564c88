"""The kernel's limit on inotify instances, which machines share with their host.

Every systemd holds some, a booted machine about a dozen; Debian allows 128 a user, and root
of all machines is one user. Past it a machine's systemd ends with "Too many open files". The
limit is raised for as long as this host runs, never lowered, and said. See inotify(7).
"""

from pathlib import Path

from stillup.errors import LabFailed
from stillup.lab.state import Report

ENOUGH = 1024
_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")


def ensure(report: Report, limit: Path = _LIMIT) -> None:
    """Raise the limit if it is low.

    Raises:
        LabFailed: If it cannot be raised.
    """
    found = int(limit.read_text())
    if found >= ENOUGH:
        return
    try:
        limit.write_text(f"{ENOUGH}\n")
    except OSError as error:
        raise LabFailed(
            f"{found} inotify instances are too few for the lab's machines and cannot be raised"
            f" ({error.strerror}): sysctl -w fs.inotify.max_user_instances={ENOUGH}"
        ) from error
    report(f"fs.inotify.max_user_instances raised from {found} to {ENOUGH} until the next reboot")
