"""A program of its own: what a fault does all the while it lasts. Nothing of stillup is imported.

    fill FOLDER...            leave no byte free on the file systems of these folders, for root too
    steal PERCENT GROUP...    take so much of the time from the processes of these control groups

It tells systemd when the fault has come about, and goes on until it is ended. Nothing it does needs
undoing but what the unit's ``ExecStopPost`` does: what fills the disk has no name, so that it is gone
with this process, also when the power is.

Source: open(2), ``O_TMPFILE``; sd_notify(3); cgroup-v2.rst, ``cgroup.freeze``.
"""

import contextlib
import errno
import os
import socket
import sys
import time
from pathlib import Path

GROUPS = "/sys/fs/cgroup"
PERIOD_S = 0.1
"""How often time is stolen: a host that gives its machines too little does so in such pieces."""
REFILL_S = 0.02
"""Engines remove files, too: what becomes free is taken again so soon."""
SMALLEST = 512
FROZEN_S = 1.0


def _tell_ready() -> None:
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.connect("\0" + address[1:] if address.startswith("@") else address)
        line.send(b"READY=1")


def _nameless(folder: str) -> int:
    """Open a file that has no name in ``folder``."""
    with contextlib.suppress(OSError):
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    # An overlay before Linux 6.3 has no such files.
    path = f"{folder}/.stillup-fault-{os.getpid()}"
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    os.unlink(path)  # noqa: PTH108  # beside os.open
    return descriptor


def _take_all(descriptor: int) -> None:
    """Give the file every byte that is left, also those that are kept for root."""
    size = os.fstat(descriptor).st_size
    state = os.fstatvfs(descriptor)
    step = max(state.f_bfree * state.f_frsize, SMALLEST)
    while step >= SMALLEST:
        try:
            os.posix_fallocate(descriptor, size, step)
            size += step
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EFBIG}:
                raise
            step //= 2


def fill(folders: list[str]) -> None:
    """Fill the disks until ended."""
    files = [_nameless(folder) for folder in folders]
    told = False
    while True:
        for descriptor in files:
            _take_all(descriptor)
        if not told:
            _tell_ready()
            told = True
        time.sleep(REFILL_S)


def _freeze(group: str, word: str) -> None:
    # A unit that was started again meanwhile has another group, of the same name.
    with contextlib.suppress(OSError):
        Path(f"{GROUPS}{group}/cgroup.freeze").write_text(word)


def _is_frozen(group: str) -> bool:
    return "frozen 1" in Path(f"{GROUPS}{group}/cgroup.events").read_text()


def _freeze_all(groups: list[str]) -> None:
    """Freeze all groups once, and see that they are."""
    for group in groups:
        _freeze(group, "1")
    ends_s = time.monotonic() + FROZEN_S
    while not all(map(_is_frozen, groups)):
        if time.monotonic() > ends_s:
            raise SystemExit("the kernel does not freeze these processes")
        time.sleep(0.002)


def steal(percent: int, groups: list[str]) -> None:
    """Take time from the groups' processes until ended."""
    _freeze_all(groups)
    _tell_ready()
    while True:
        for word, share in (("0", 100 - percent), ("1", percent)):
            for group in groups:
                _freeze(group, word)
            time.sleep(PERIOD_S * share / 100)


def main(words: list[str]) -> None:
    """Do what is asked for."""
    match words:
        case ["fill", *folders]:
            fill(folders)
        case ["steal", percent, *groups]:
            steal(int(percent), groups)
        case _:
            raise SystemExit("usage: fault_program fill FOLDER... | steal PERCENT GROUP...")


if __name__ == "__main__":
    main(sys.argv[1:])
