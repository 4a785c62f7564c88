"""Looks at MariaDB's data folder while MariaDB does not run, and keeps the keeper's own marks: acting."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from stillup.errors import ServerFailed
from stillup.keeper import grastate
from stillup.keeper.seen import Phase, Position

DATA = Path("/var/lib/mysql")
MARKS = Path("/var/lib/stillup")
RECOVER_S = 600.0
"""InnoDB redoes what its log holds: seconds mostly, minutes for a large log on a slow disk."""

OWN_FOLDERS = frozenset({"mysql", "performance_schema", "sys", "test", "lost+found", "stillup"})


@dataclass(frozen=True, slots=True)
class Marks:
    """What the keeper remembers over its own death and the server's: one small file each.

    ``member``: of which cluster this server was a member last, and which histories that grew out of.
    ``joining``: it was started to receive what it lacks, and has not been a member since: if Galera
    does not trust the data here, then because they are half a copy.
    ``settled``: the name of the saved view all commits before which were on the disk.
    ``birth``, ``force``: what a person or ``stillup apply`` decided. ``founding``: it has declared.
    """

    folder: Path = MARKS

    def has(self, mark: str) -> bool:
        """Whether the mark lies here."""
        return self._path(mark).exists()

    def read(self, mark: str) -> str:
        """Return the mark's text, empty if there is none."""
        try:
            return self._path(mark).read_text("utf-8").strip()
        except FileNotFoundError:
            return ""

    def write(self, mark: str, text: str = "") -> None:
        """Put the mark on the disk; when this returns, a power cut does not lose it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self._path(mark).with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path(mark))
        _sync(self.folder)

    def remove(self, mark: str) -> None:
        """Take the mark away, if there is one."""
        if self.has(mark):
            self._path(mark).unlink()
            _sync(self.folder)

    def member(self) -> tuple[str, tuple[Position, ...]]:
        """Return the cluster this server was a member of, empty if none, and its ancestors."""
        try:
            said = json.loads(self.read("member") or "{}")
            ancestors = tuple(Position(str(c), int(n)) for c, n in said.get("ancestors", []))
            return str(said.get("cluster", "")), ancestors
        except (ValueError, AttributeError, TypeError) as error:
            raise ServerFailed(f"{self._path('member')}: cannot be read: {error}") from error

    def write_member(self, cluster: str, ancestors: tuple[Position, ...]) -> None:
        """Remember of which cluster this server is a member."""
        points = [[point.cluster, point.seqno] for point in ancestors]
        self.write("member", json.dumps({"cluster": cluster, "ancestors": points}))

    def _path(self, mark: str) -> Path:
        return self.folder / f"database-{mark}"


@dataclass(frozen=True, slots=True)
class Looked:
    """What the data folder holds.

    Args:
        phase: ``STOPPED``, ``EMPTY``, ``PLAIN`` or ``BROKEN``.
        position: Up to where, if ``STOPPED``.
        why: Why not, if ``BROKEN``.
        member: Of which cluster what is here was a copy, as far as is known, if ``BROKEN``; None if nothing is here.
        folder: The folder's ``identity`` after the look.
    """

    phase: Phase
    position: Position | None = None
    why: str = ""
    member: str | None = None
    folder: tuple[int, int] = (0, 0)


def identity(data: Path = DATA) -> tuple[int, int]:
    """Return what changes when the folder is replaced, or files in it come and go."""
    if not data.exists():
        return 0, 0
    status = data.stat()
    return status.st_ino, status.st_mtime_ns


def look(marks: Marks, data: Path = DATA) -> Looked:
    """Find out up to where the data go. MariaDB must not run; it takes as long as its recovery."""
    return replace(_look(marks, data), folder=identity(data))


def _look(marks: Marks, data: Path) -> Looked:
    state = data / "grastate.dat"
    said = grastate.parse(state.read_text("utf-8", "replace")) if state.exists() else None
    if not (data / "ibdata1").exists():
        return _without_data(marks)
    if said is None or said.cluster == grastate.NOBODY:
        return _without_a_word(marks, data)
    position = _recovered()
    if position is None:
        return _broken(marks, "mariadbd --wsrep-recover does not read them")
    if position.cluster != said.cluster:
        half = _half_founded(marks)
        if half is not None:
            return half
        return _broken(marks, "InnoDB and grastate.dat do not name the same history")
    # After an orderly end Galera's word counts commits too that InnoDB did not see.
    return Looked(Phase.STOPPED, max(position, Position(said.cluster, said.seqno), key=_seqno))


def _broken(marks: Marks, why: str) -> Looked:
    return Looked(Phase.BROKEN, why=why, member=marks.member()[0])


def _without_data(marks: Marks) -> Looked:
    """There are no data; those of a member may be on a disk that is not mounted."""
    if marks.member()[0] and not marks.has("joining"):
        return Looked(Phase.BROKEN, why="there are no data, and this server was a member")
    return Looked(Phase.EMPTY)


def _half_founded(marks: Marks) -> Looked | None:
    """Return how far the data went when a person decided for them, if that was interrupted.

    Galera's word is taken away before MariaDB founds under a new name; the data are as they were.
    """
    cluster, _, seqno = marks.read("force").rpartition(":")
    return Looked(Phase.STOPPED, Position(cluster, int(seqno))) if cluster else None


def _without_a_word(marks: Marks, data: Path) -> Looked:
    """Galera says nothing about the data here, or that they are not to be trusted."""
    half = _half_founded(marks)
    if half is not None:
        return half
    if marks.has("joining"):
        return Looked(Phase.EMPTY)
    if marks.member()[0]:
        return _broken(marks, "grastate.dat says nothing, and this server was a member")
    folders = {entry.name for entry in data.iterdir() if entry.is_dir()} - OWN_FOLDERS
    return Looked(
        Phase.PLAIN if any(not n.startswith((".", "#")) for n in folders) else Phase.EMPTY
    )


def saved_view(data: Path = DATA) -> tuple[str, int]:
    """Return the name of the view that Galera wrote down, empty if none, and how many it has."""
    try:
        return grastate.view((data / "gvwstate.dat").read_text("utf-8", "replace"))
    except FileNotFoundError:
        return "", 0


def forget_view(data: Path = DATA) -> None:
    """Remove Galera's saved view, also for after a power cut: it cannot become primary by itself then."""
    saved = data / "gvwstate.dat"
    if saved.exists():
        saved.unlink()
        _sync(data)


def distrust(data: Path = DATA) -> None:
    """Have MariaDB ask for a whole copy at its next start; a folder that was moved away is made anew."""
    if not data.exists():
        data.mkdir()
        data.chmod(0o755)
        shutil.chown(data, "mysql", "mysql")
    (data / "grastate.dat").unlink(missing_ok=True)


def allow_founding(position: Position | None, data: Path = DATA) -> None:
    """Let Galera found from ``position``; None: under a new name, from whatever is here."""
    forget_view(data)
    if position is None:
        distrust(data)
        return
    path = data / "grastate.dat"
    new = data / "grastate.dat.new"
    with new.open("w", encoding="utf-8") as file:
        file.write(grastate.founding(position))
        file.flush()
        os.fsync(file.fileno())
    shutil.chown(new, "mysql", "mysql")
    new.chmod(0o660)
    new.replace(path)


def _recovered() -> Position | None:
    command = ["mariadbd", "--user=mysql", "--wsrep-recover", "--disable-log-error"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=RECOVER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerFailed(f"mariadbd --wsrep-recover: no answer: {error}") from error
    return grastate.recovered(done.stderr) if done.returncode == 0 else None


def _sync(path: Path) -> None:
    """Have the folder's entries on the disk."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _seqno(position: Position) -> int:
    return position.seqno
