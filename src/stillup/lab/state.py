"""Where a lab keeps what outlives a command: its folder, its records, its lock.

What *runs* is never written down: it is read from the lab's control group, so a record can
not be wrong about it after a crash or a reboot of the host. A record is a JSON file,
replaced atomically.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stillup.errors import LabFailed
from stillup.lab.names import lab_id, path_hash
from stillup.node.message import JsonObject

LABS = Path("/var/lib/stillup/labs")
IMAGES = Path("/var/cache/stillup/images")
LOCK_WAIT_S = 300.0
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one lab. It holds keys and databases, so only root may look into it."""

    path: Path

    @property
    def id(self) -> str:
        """The lab's name, unique on this host."""
        return self.path.name

    @property
    def record(self) -> Path:
        """What the lab was made from: farm file, addresses."""
        return self.path / "lab.json"

    @property
    def key(self) -> Path:
        """The lab's own SSH key, the one its machines let in."""
        return self.path / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The machines' host keys, for strict checking."""
        return self.path / "known_hosts"

    @property
    def cuts(self) -> Path:
        """The links that are cut; they stay so when a machine boots again."""
        return self.path / "cuts.json"

    @property
    def ports(self) -> Path:
        """The loopback ports that lead to the virtual IP."""
        return self.path / "ports.json"

    @property
    def hosts(self) -> Path:
        """The client's /etc/hosts."""
        return self.path / "hosts"

    def machine(self, server: str) -> Path:
        """The folder of one machine: its disk, its record, its console's output."""
        return self.path / "machines" / server

    def machines(self) -> list[str]:
        """Return the names of the machines that have a folder."""
        folder = self.path / "machines"
        return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def home_of(farm_name: str | None, farm_path: Path, labs: Path = LABS) -> Home:
    """Return the lab of a farm file, which may not exist yet.

    A lab is found by its file's path alone, so that ``lab down`` works when the farm has got
    another name or its file can no longer be read.

    Raises:
        LabFailed: If this user may not look.
    """
    if labs.is_dir() and not os.access(labs, os.R_OK | os.X_OK):
        raise LabFailed("the lab's machines belong to root: run it with sudo")
    found = sorted(labs.glob(f"*-{path_hash(farm_path)}"))
    if found:
        return Home(found[0])
    # A removal that was killed at its very end leaves the lock alone, which tells the name too.
    for lock in sorted(labs.glob(f".*-{path_hash(farm_path)}.lock")):
        return Home(labs / lock.name.removeprefix(".").removesuffix(".lock"))
    return Home(labs / lab_id(farm_name or "farm", farm_path))


def read_record(path: Path) -> JsonObject | None:
    """Return a record, or None when there is none (yet)."""
    try:
        record = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise LabFailed(f"{path} is damaged; `stillup lab down` removes the lab") from error
    if not isinstance(record, dict):
        raise LabFailed(f"{path} is damaged; `stillup lab down` removes the lab")
    return record


def write_record(path: Path, record: JsonObject) -> None:
    """Replace a record: all of it is there, or what was there before."""
    write_file(path, json.dumps(record, indent=1) + "\n")


def write_file(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file atomically.

    Raises:
        LabFailed: If the disk is full or may not be written to.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
        beside.replace(path)
    except OSError as error:
        raise LabFailed(f"cannot write {path}: {error.strerror}") from error


@contextmanager
def locked(home: Home, doing: str, report: Report) -> Iterator[None]:
    """Hold the lab for one command; a second one waits, and says for what.

    The lock file stands beside the lab's folder, as ``lab down`` removes the folder. It goes
    away with the lab; who had waited for it sees that and takes the new one.

    Raises:
        LabFailed: If the other command does not end within ``LOCK_WAIT_S``.
    """
    path = home.path.with_name(f".{home.id}.lock")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = _take(path, report)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"`stillup lab {doing}` (process {os.getpid()})".encode(), 0)
        yield
    finally:
        if not home.path.exists():
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _take(path: Path, report: Report) -> int:
    deadline = time.monotonic() + LOCK_WAIT_S
    told = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode() or "another command"
            os.close(descriptor)
            if time.monotonic() > deadline:
                raise LabFailed(f"{holder} has held this lab for too long; end it first") from None
            if not told:
                report(f"waiting for {holder} to finish with this lab")
                told = True
            time.sleep(0.1)
            continue
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
