"""A database put back from a backup: prepared beside, then swapped in, the old one kept till then.

Folders beside ``/var/lib/mysql``, in the order in which they come and go:

.stillup-restore    being unpacked and prepared; worth nothing
.stillup-restored   whole and prepared; renamed from the one above
.stillup-replaced   what was there before; removed when MariaDB has started on the new one

What is in the folders is moved, not the folder: it may be one that cannot be renamed. Every step
can be interrupted and done again: ``/var/lib/stillup/restore.json`` says which backup is being
restored and how far it is (``STAGES``). Where several servers keep the database, one takes the backup and founds their group
anew, and the others come empty and get their copy from it.
"""

import errno
import json
import os
import shutil
import stat
from pathlib import Path

from stillup.errors import ChangeRefused, InputRefused, ServerFailed
from stillup.node import disk
from stillup.node.backup import DATA, LOCK
from stillup.node.copies import KEEPER, mark_birth
from stillup.node.database_copy import unpack
from stillup.node.lock import Lock
from stillup.node.message import JsonObject
from stillup.node.requests import Session, text
from stillup.node.world import World, at

MARK = "/var/lib/stillup/restore.json"
PLAIN = "mariadb.service"
KEEPER_UNIT = "stillup-database.service"
MARKS = ("/var/lib/stillup/database-member", "/var/lib/stillup/database-force")
"""The keeper's marks of this server's data: what they were a copy of, and what a person decided for them."""
OF_GROUP = ("grastate.dat", "gvwstate.dat", "galera.cache")
"""What says which group the data belong to: the restored data begin a new one."""
OF_COPY = ("backup-my.cnf", "mariadb_backup_*", "xtrabackup_*")
"""What a copy says of itself, which is nothing to the MariaDB that serves it."""
PING = ("mariadb-admin", "--connect-timeout=5", "ping")
READY = (
    "env",
    f"PYTHONPATH={KEEPER}",
    "python3",
    "-m",
    "stillup.keeper",
    "ready",
    "--within",
    "900",
)
STAGES = ("ready", "leaving", "entering", "swapped")
"""Brought and prepared; the old one goes out, the new one comes in; it is in."""
START_WITHIN_S = 900.0
STOP_WITHIN_S = 300.0


def state(session: Session, _request: JsonObject) -> JsonObject:
    """Tell how far a restore is: ``backup`` (or null) and ``stage``.

    The stages are those of ``STAGES``, "" for none, "emptying" and "empty" on servers that get
    their copy from another one, and "coming back" while ``undo`` is not done.
    """
    backup, stage = _read_mark(session.world)
    return {"backup": backup, "stage": stage}


def take(session: Session, request: JsonObject) -> JsonObject:
    """Take the database of a backup in, prepared, beside the one that serves.

    Returns:
        As ``database_copy.unpack``.

    Raises:
        ChangeRefused: If the data folder cannot be swapped.
    """
    world, backup = session.world, text(request, "backup")
    data = at(world, DATA)
    if os.path.ismount(data):
        raise ChangeRefused(
            f"{DATA} is a file system of its own, which cannot be swapped for another folder; "
            "mount it one level higher"
        )
    lock = Lock(world, LOCK, "another backup")
    lock.take("a restore")
    try:
        _write_mark(world, None, "")
        shutil.rmtree(_beside(data, "restored"), ignore_errors=True)
        told = unpack(session, _beside(data, "restore"))
        if told["sha256"] != text(request, "sha256"):
            raise ServerFailed("the copy of the database that arrived is not the one that was sent")
        _beside(data, "restore").rename(_beside(data, "restored"))
        disk.flush_folders([data.parent])
        _write_mark(world, backup, "ready")
    finally:
        shutil.rmtree(_beside(data, "restore"), ignore_errors=True)
        lock.free()
    return told


def stop(session: Session, request: JsonObject) -> JsonObject:
    """Stop MariaDB, and where several servers keep the database what starts it again."""
    session.event("stops", "MariaDB")
    _systemctl(session.world, "stop", _units(request), STOP_WITHIN_S)
    return {}


def swap(session: Session, request: JsonObject) -> JsonObject:
    """Put what was taken in in the place of a stopped MariaDB's data; done again it goes on.

    With ``"group": true`` this server founds the database servers' group with it.
    """
    world, backup = session.world, text(request, "backup")
    known, stage = _read_mark(world)
    if known != backup or stage not in STAGES:
        raise InputRefused(f"the database of the backup {backup} was not taken in before")
    data = at(world, DATA)
    if stage == "ready":
        _keep_flags(data, _beside(data, "restored"))
        shutil.rmtree(_beside(data, "replaced"), ignore_errors=True)
        stage = _write_mark(world, backup, "leaving")
    if stage == "leaving":
        _move_all(data, _beside(data, "replaced"))
        stage = _write_mark(world, backup, "entering")
    if stage == "entering":
        _move_all(_beside(data, "restored"), data)
        for pattern in OF_COPY:
            for left in data.glob(pattern):
                left.unlink()
        if request.get("group") is True:
            for name in OF_GROUP:
                (data / name).unlink(missing_ok=True)
            _forget(world)
            mark_birth(world)
        _write_mark(world, backup, "swapped")
    return {}


def _forget(world: World) -> None:
    for mark in MARKS:
        at(world, mark).unlink(missing_ok=True)


def empty(session: Session, request: JsonObject) -> JsonObject:
    """Put a stopped MariaDB's data aside: this server gets its copy from the one restored.

    Once for a backup: what it got since is not put aside again.
    """
    data, backup = at(session.world, DATA), text(request, "backup")
    known = _read_mark(session.world)
    if known == (backup, "empty"):
        return {}
    if known != (backup, "emptying"):
        shutil.rmtree(_beside(data, "replaced"), ignore_errors=True)
        _write_mark(session.world, backup, "emptying")
    _move_all(data, _beside(data, "replaced"))
    _forget(session.world)
    _write_mark(session.world, backup, "empty")
    return {}


def start(session: Session, request: JsonObject) -> JsonObject:
    """Start MariaDB, or what starts it, and wait until it answers.

    Raises:
        ServerFailed: If it does not.
    """
    session.event("starts", "MariaDB")
    world = session.world
    _systemctl(world, "start", _units(request)[:1], START_WITHIN_S)
    ran = world.run(READY if request.get("group") is True else PING, within_s=START_WITHIN_S)
    if ran.code != 0:
        reason = ran.err.decode(errors="replace").strip().splitlines()
        raise ServerFailed(f"MariaDB does not come up: {reason[-1] if reason else ran.code}")
    return {}


def undo(session: Session, _request: JsonObject) -> JsonObject:
    """Put back what was there before, where MariaDB did not start; it is stopped.

    Cut in the middle, it goes on when it is done again.
    """
    world = session.world
    data, (backup, stage) = at(world, DATA), _read_mark(world)
    if stage != "coming back":
        _move_all(data, _beside(data, "restored"))
        _write_mark(world, backup, "coming back")
    _move_all(_beside(data, "replaced"), data)
    at(world, MARK).unlink(missing_ok=True)
    return {}


def end(session: Session, _request: JsonObject) -> JsonObject:
    """Forget the restore, and remove what was there before: everything of it is done."""
    data = at(session.world, DATA)
    for word in ("replaced", "restored"):
        shutil.rmtree(_beside(data, word), ignore_errors=True)
    at(session.world, MARK).unlink(missing_ok=True)
    return {}


def _move_all(source: Path, target: Path) -> None:
    """Move everything in a folder to another; begun before, it goes on."""
    target.mkdir(mode=0o700, exist_ok=True)
    if not source.is_dir():
        return
    for entry in source.iterdir():
        try:
            entry.rename(target / entry.name)
        except OSError as error:
            # An overlay does not rename folders of its lower layer, nor one that was begun.
            if error.errno not in {errno.EXDEV, errno.ENOTEMPTY, errno.EEXIST}:
                raise
            _move_folder(entry, target / entry.name)
    disk.flush_folders([source, target])


def _move_folder(source: Path, target: Path) -> None:
    status = source.stat()
    _move_all(source, target)
    os.chown(target, status.st_uid, status.st_gid)
    target.chmod(stat.S_IMODE(status.st_mode))
    source.rmdir()


def _keep_flags(data: Path, restored: Path) -> None:
    """Carry over what Debian's packages keep in the data folder, which no backup has."""
    for flag in data.glob("debian-*.flag"):
        shutil.copy2(flag, restored / flag.name)


def _beside(data: Path, word: str) -> Path:
    return data.with_name(f"{data.name}.stillup-{word}")


def _units(request: JsonObject) -> tuple[str, ...]:
    """Return what runs MariaDB here, what starts it first."""
    return (KEEPER_UNIT, PLAIN) if request.get("group") is True else (PLAIN,)


def _systemctl(world: World, verb: str, units: tuple[str, ...], within_s: float) -> None:
    ran = world.run(("systemctl", verb, *units), within_s=within_s)
    if ran.code != 0:
        words = ran.err.decode(errors="replace").strip().splitlines()
        told = words[0] if words else ran.code
        raise ServerFailed(f"`systemctl {verb} {' '.join(units)}` failed: {told}")


def _read_mark(world: World) -> tuple[str | None, str]:
    told = json.loads(disk.read_regular(at(world, MARK)) or b"{}")
    return told.get("backup"), str(told.get("stage", ""))


def _write_mark(world: World, backup: str | None, stage: str) -> str:
    place = at(world, MARK)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    disk.write_whole(place, json.dumps({"backup": backup, "stage": stage}).encode())
    return stage
