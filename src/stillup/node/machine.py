"""The real server: processes, accounts and clocks."""

import contextlib
import grp
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from stillup.errors import ServerFailed
from stillup.node.world import NOT_FOUND, OUT_OF_TIME, Account, Ran

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "SYSTEMD_COLORS": "0",
    "SYSTEMD_PAGER": "",
}
"""Programs get this and nothing of the session's own environment, so that all runs are alike."""


class Machine:
    """This server."""

    root = Path("/")

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        within_s: float = 60.0,
        environment: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run a program; its output goes to memory files, never to pipes.

        With a pipe, a program that outlives us (apt in the middle of dpkg when this process is
        killed) would die of SIGPIPE, and one that leaves a child behind would keep us waiting.
        """
        with _memory(stdin) as given, _memory() as out, _memory() as err:
            try:
                process = subprocess.Popen(
                    argv,
                    stdin=given,
                    stdout=out,
                    stderr=err,
                    env={**ENVIRONMENT, **(environment or {})},
                    cwd="/",
                    start_new_session=True,
                )
            except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
                return Ran(NOT_FOUND, err=f"{argv[0]}: {error.strerror}".encode())
            code = _wait(process, within_s)
            return Ran(code, _content(out), _content(err))

    def account(self, name: str) -> Account | None:
        """Return the user of that name."""
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        groups = frozenset(group.gr_name for group in grp.getgrall() if name in group.gr_mem)
        return Account(name, entry.pw_dir, entry.pw_shell, groups)

    def ids(self, owner: str, group: str) -> tuple[int, int]:
        """Return uid and gid."""
        try:
            return pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid
        except KeyError as error:
            raise ServerFailed(
                f"there is no user {owner} or no group {group} on this server; "
                "the package that brings it is missing from the bundle"
            ) from error

    def names(self, uid: int, gid: int) -> tuple[str, str]:
        """Return owner and group; a number without a name as its digits."""
        return _owner(uid), _group(gid)

    def now_s(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def wall_s(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def _memory(data: bytes = b"") -> IO[bytes]:
    file = os.fdopen(os.memfd_create("stillup"), "w+b", buffering=0)
    file.write(data)
    file.seek(0)
    return file


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _wait(process: "subprocess.Popen[bytes]", within_s: float) -> int:
    """Wait for the end; when the time is up end the whole process group."""
    try:
        return process.wait(within_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return OUT_OF_TIME


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
