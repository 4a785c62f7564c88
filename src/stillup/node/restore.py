"""A database put back from a backup: prepared beside, then swapped in, the old one kept till then.

Folders beside ``/var/lib/mysql``, in the order in which they come and go:

.stillup-restore    being unpacked and prepared; worth nothing
.stillup-restored   whole and prepared; renamed from the one above
.stillup-replaced   what was there before; removed when MariaDB has started on the new one

Every step can be interrupted and done again: ``/var/lib/stillup/restore.json`` says which backup
is being restored and whether it is swapped in, and a swap that was cut in the middle is ended by
the next one. Where several servers keep the database, one takes the backup and founds their group
anew, and the others come empty and get their copy from it.
"""

import json
import os
import shutil
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
MEMBER = "/var/lib/stillup/database-member"
"""The keeper's mark that this server was once a member of the group; gone with its data."""
OF_GROUP = ("grastate.dat", "gvwstate.dat", "galera.cache")
"""What says which group the data belong to: the restored data begin a new one."""
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
START_WITHIN_S = 900.0
STOP_WITHIN_S = 300.0


def state(session: Session, _request: JsonObject) -> JsonObject:
    """Tell how far a restore is: ``backup`` (or null) and ``stage``: "", "ready", "swapped"."""
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
        if data.exists():
            shutil.rmtree(_beside(data, "replaced"), ignore_errors=True)
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
    mark = _read_mark(world)
    if mark not in {(backup, "ready"), (backup, "swapped")}:
        raise InputRefused(f"the database of the backup {backup} was not taken in before")
    if mark == (backup, "ready"):
        exchange(at(world, DATA))
        if request.get("group") is True:
            for name in OF_GROUP:
                (at(world, DATA) / name).unlink(missing_ok=True)
            at(world, MEMBER).unlink(missing_ok=True)
            mark_birth(world)
        _write_mark(world, backup, "swapped")
    return {}


def empty(session: Session, request: JsonObject) -> JsonObject:
    """Put a stopped MariaDB's data aside: this server gets its copy from the one restored.

    Once for a backup: what it got since is not put aside again.
    """
    data, backup = at(session.world, DATA), text(request, "backup")
    if _read_mark(session.world) == (backup, "empty"):
        return {}
    replaced = _beside(data, "replaced")
    if data.exists() and not replaced.exists():
        data.rename(replaced)
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o755)
    shutil.chown(data, "mysql", "mysql")
    at(session.world, MEMBER).unlink(missing_ok=True)
    disk.flush_folders([data.parent])
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
    """Put back what was there before, where MariaDB did not start; it is stopped."""
    take_back(at(session.world, DATA))
    at(session.world, MARK).unlink(missing_ok=True)
    return {}


def end(session: Session, _request: JsonObject) -> JsonObject:
    """Forget the restore, and remove what was there before: everything of it is done."""
    data = at(session.world, DATA)
    if data.exists():
        shutil.rmtree(_beside(data, "replaced"), ignore_errors=True)
    at(session.world, MARK).unlink(missing_ok=True)
    return {}


def exchange(data: Path) -> None:
    """Put the restored folder in the place of the data folder; goes on where it was cut."""
    restored, replaced = _beside(data, "restored"), _beside(data, "replaced")
    if not restored.exists():
        return
    if data.exists():
        _keep_flags(data, restored)
        shutil.rmtree(replaced, ignore_errors=True)
        data.rename(replaced)
    restored.rename(data)
    disk.flush_folders([data.parent])


def take_back(data: Path) -> None:
    """Undo ``exchange``."""
    restored, replaced = _beside(data, "restored"), _beside(data, "replaced")
    if replaced.exists():
        data.rename(restored)
        replaced.rename(data)
        disk.flush_folders([data.parent])


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


def _write_mark(world: World, backup: str | None, stage: str) -> None:
    place = at(world, MARK)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    disk.write_whole(place, json.dumps({"backup": backup, "stage": stage}).encode())
