"""Interrupt a function at its k-th change of the world: kill the process, or fill the disk.

Python's audit events (PEP 578) tell of every file that is opened for writing, renamed, linked,
removed and so on, before it happens; so no code under test knows of being interrupted.
"""

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

CHANGES = {
    "os.rename",
    "os.remove",
    "os.link",
    "os.symlink",
    "os.mkdir",
    "os.rmdir",
    "os.chmod",
    "os.chown",
    "os.truncate",
}
NEED_SPACE = {"open", "os.link", "os.symlink", "os.mkdir"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
DONE, FAILED = 0, 3


def killed_at(step: int, act: Callable[[], object]) -> bool:
    """Run ``act`` in a child that is killed right before its ``step``-th change.

    Returns:
        Whether it came that far; false means that ``act`` was done before.
    """
    child = os.fork()
    if child == 0:
        _run_as_child(step, act)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.waitstatus_to_exitcode(status) == DONE, "the child failed by itself"
    return False


def _run_as_child(step: int, act: Callable[[], object]) -> None:
    left = step

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if is_change(event, arguments):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(hook)
        act()
    except BaseException:  # noqa: BLE001 (a forked child must never return to pytest)
        os._exit(FAILED)
    os._exit(DONE)


def full_at(step: int, root: Path, act: Callable[[], object]) -> tuple[int, str]:
    """Run ``act`` in a child for which the disk of ``root`` is full from the ``step``-th need on.

    Returns:
        How often space was needed, and the text of the error it ended with (empty: none).
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        needs = 0

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal needs
            if event in NEED_SPACE and is_change(event, arguments) and _is_below(root, arguments):
                needs += 1
                if needs >= step:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))

        text = ""
        try:
            sys.addaudithook(hook)
            act()
        except BaseException as error:  # noqa: BLE001 (a forked child must never return)
            text = f"{type(error).__name__}: {error}"
        os.write(writing, f"{needs} {text}".encode())
        os._exit(DONE)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        count, _, text = pipe.read().partition(" ")
    os.waitpid(child, 0)
    return int(count), text


def is_change(event: str, arguments: tuple[object, ...]) -> bool:
    """Tell whether an audit event is a change of the file system."""
    if event == "open":
        flags = arguments[2]
        return isinstance(flags, int) and bool(flags & WRITING)
    return event in CHANGES


def _is_below(root: Path, arguments: tuple[object, ...]) -> bool:
    # The server's own journals and kernel settings are not on the disk that fills up, but
    # systemd's and apt's notes of the script are no part of what is tested either.
    path = str(arguments[0])
    return path.startswith(str(root)) and "/scripted." not in path and "/proc/" not in path
