"""Linux namespaces by system call: enter, leave, mount, and make a socket inside.

``os.setns`` and ``os.unshare`` came with Python 3.12, so they are called through ctypes.
A network namespace belongs to a thread, and a socket to the namespace it was made in, for
ever; so one thread lives in the client's namespace and makes sockets for all the others.

Source: setns(2), unshare(2), mount(2).
"""

import ctypes
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stillup.errors import LabFailed

NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
NEW_NAMES = 0x04000000  # CLONE_NEWUTS
NEW_NETWORK = 0x40000000  # CLONE_NEWNET
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(kinds: int) -> None:
    """Give this thread (mounts: this process) namespaces of its own."""
    _check(_libc.unshare(kinds), "unshare")


def enter(namespace: Path) -> None:
    """Move this thread into a namespace given as ``/proc/PID/ns/KIND``.

    Raises:
        OSError: If it is gone, or this is not root.
    """
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(descriptor, 0), "setns")
    finally:
        os.close(descriptor)


def mount(source: str, target: Path, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Attach a file system to ``target``; the arguments are the system call's."""
    result = _libc.mount(
        source.encode(), str(target).encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()
    )
    _check(result, f"mount {target}")


def network_of(process: int) -> Path:
    """Return the path of a process's network namespace."""
    return Path(f"/proc/{process}/ns/net")


def is_own_network(process: int) -> bool:
    """Say whether a process is in the same network namespace as this one."""
    return network_of(process).stat().st_ino == Path("/proc/self/ns/net").stat().st_ino


class SocketMaker:
    """Makes TCP sockets in another network namespace; the caller's threads stay where they are."""

    def __init__(self, namespace: Path) -> None:
        """Begin to live in ``namespace``; it stays alive as long as this does."""
        self._thread = ThreadPoolExecutor(1, "namespace")
        self._entered = self._thread.submit(enter, namespace)

    def make(self) -> socket.socket:
        """Return a TCP socket (IPv4), not connected, that belongs to the namespace.

        Raises:
            LabFailed: If the namespace is gone.
        """
        try:
            self._entered.result()
            return self._thread.submit(socket.socket, socket.AF_INET, socket.SOCK_STREAM).result()
        except OSError as error:
            raise LabFailed("the lab's network is gone; `stillup lab up` brings it back") from error

    def close(self) -> None:
        """Let the namespace go; sockets already made live on."""
        self._thread.shutdown(wait=False)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
