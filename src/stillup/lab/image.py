"""Builds the machines' image, once, and keeps it.

Built beside its place and renamed, so an interrupted build leaves nothing that counts.
The lock is inherited by the build's own processes: as long as any of them lives, even when
the tool was killed, nobody begins another build.
"""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stillup.errors import LabFailed
from stillup.lab.build_failure import why
from stillup.lab.recipe import FINISH, SIZE_BYTES, Mirror, host_mirror, image_hash, mmdebstrap
from stillup.lab.state import IMAGES, Report

_BUILD_LIMIT_S = 1800.0
# The build's peak: the tree, the downloaded packages beside it, and some air.
_BUILD_BYTES = 2 * SIZE_BYTES


def image(report: Report, images: Path = IMAGES) -> Path:
    """Return the folder of the image's tree, built if it is not there yet.

    Raises:
        LabFailed: If the build failed (no network, a full disk): in one sentence, with the
            path of the whole log.
    """
    place = images / image_hash()
    if place.is_dir():
        return place
    images.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _only_builder(images, report) as lock:
        if place.is_dir():
            return place
        for leftover in images.glob(".building-*"):
            shutil.rmtree(leftover)
        _check_space(images)
        beside = images / f".building-{place.name}"
        _build(beside, images / "build.log", lock, report)
        beside.rename(place)
    return place


@contextmanager
def _only_builder(images: Path, report: Report) -> Iterator[int]:
    lock = os.open(images / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another build of the image to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def _check_space(images: Path) -> None:
    free = shutil.disk_usage(images).free
    if free < _BUILD_BYTES:
        raise LabFailed(
            f"the image needs {_BUILD_BYTES // 10**6} MB free below {images} while it is built, "
            f"and there are {free // 10**6} MB: make room, or mount a larger disk there"
        )


def _build(target: Path, log: Path, lock: int, report: Report) -> None:
    mirror = _host_mirror()
    report(f"building the machines' image, once, from {mirror.main} (minutes)")
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            # Its own mounts and processes, all of which end with this tool: mmdebstrap
            # mounts /proc and /sys in the tree, and a killed build must leave none of it.
            [
                *("setpriv", "--pdeathsig", "KILL"),
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *mmdebstrap(mirror, str(target)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "STILLUP_FINISH": FINISH, "LC_ALL": "C"},
            pass_fds=[lock],
        )
        try:
            _follow(process, log, began, report)
        finally:
            process.kill()
            process.wait()
    if process.returncode != 0:
        shutil.rmtree(target, ignore_errors=True)
        raise LabFailed(why(log.read_text(errors="replace"), mirror, str(log)))
    report(f"image built in {time.monotonic() - began:.0f} s")


def _follow(process: subprocess.Popen[bytes], log: Path, began: float, report: Report) -> None:
    """Report each of the build's steps as it begins, until the build ends."""
    with log.open(errors="replace") as lines:
        while True:
            ended = _ended(process, 0.2)
            for line in lines:
                if line.startswith("I: ") and "..." in line and "signal" not in line:
                    report(f"image, {time.monotonic() - began:3.0f} s: {line[3:].strip()}")
            if ended:
                return
            if time.monotonic() - began > _BUILD_LIMIT_S:
                raise LabFailed(f"the image was not built in {_BUILD_LIMIT_S:.0f} s; see {log}")


def _ended(process: subprocess.Popen[bytes], within_s: float) -> bool:
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _host_mirror() -> Mirror:
    targets = _ask(
        [
            *("apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(RELEASE)"),
            "Created-By: Packages",
        ]
    )
    proxy = _ask(["apt-config", "shell", "proxy", "Acquire::http::Proxy"])
    return host_mirror(targets, proxy.strip().removeprefix("proxy=").strip("'") or None)


def _ask(command: list[str]) -> str:
    """Return what a command says; a host without a working apt has no wish to honour."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return ""
    return answer.stdout if answer.returncode == 0 else ""
