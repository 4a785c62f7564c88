"""A database put back from a backup: prepared beside, then swapped in, the old one kept till then.

Folders beside ``/var/lib/mysql``, in the order in which they come and go:

.stillup-restore    being unpacked and prepared; worth nothing
.stillup-restored   whole and prepared; renamed from the one above
.stillup-replaced   what was there before; removed when MariaDB has started on the new one

Every step can be interrupted and done again: ``/var/lib/stillup/restore.json`` says which backup
is being restored and whether it is swapped in, and a swap that was cut in the middle is ended by
the next one.
"""

import json
import os
import shutil
from pathlib import Path

from stillup.errors import ChangeRefused, InputRefused, ServerFailed
from stillup.node import disk
from stillup.node.backup import DATA, LOCK
from stillup.node.database_copy import unpack
from stillup.node.lock import Lock
from stillup.node.message import JsonObject
from stillup.node.requests import Session, text
from stillup.node.world import World, at

MARK = "/var/lib/stillup/restore.json"
PLAIN = "mariadb.service"
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


def swap(session: Session, request: JsonObject) -> JsonObject:
    """Have MariaDB serve what was taken in; what was there before is removed when it does.

    Raises:
        ServerFailed: If MariaDB does not start on it; what was there before serves again.
    """
    world, backup = session.world, text(request, "backup")
    if _read_mark(world) == (backup, "swapped"):
        _start(session)
        return {}
    if _read_mark(world) != (backup, "ready"):
        raise InputRefused(f"the database of the backup {backup} was not taken in before")
    session.event("stops", "MariaDB")
    _systemctl(world, "stop", STOP_WITHIN_S)
    exchange(at(world, DATA))
    try:
        _start(session)
    except ServerFailed as error:
        _systemctl(world, "stop", STOP_WITHIN_S)
        take_back(at(world, DATA))
        _start(session)
        raise ServerFailed(f"{error}; what was there before the restore serves again") from error
    _write_mark(world, backup, "swapped")
    shutil.rmtree(_beside(at(world, DATA), "replaced"), ignore_errors=True)
    return {}


def end(session: Session, _request: JsonObject) -> JsonObject:
    """Forget the restore: everything of it is done."""
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


def _start(session: Session) -> None:
    session.event("starts", "MariaDB")
    _systemctl(session.world, "start", START_WITHIN_S)
    ran = session.world.run(("mariadb-admin", "--connect-timeout=5", "ping"), within_s=30.0)
    if ran.code != 0:
        raise ServerFailed("MariaDB has started on the restored data, but does not answer")


def _systemctl(world: World, verb: str, within_s: float) -> None:
    ran = world.run(("systemctl", verb, PLAIN), within_s=within_s)
    if ran.code != 0:
        words = ran.err.decode(errors="replace").strip().splitlines()
        raise ServerFailed(f"`systemctl {verb} {PLAIN}` failed: {words[0] if words else ran.code}")


def _read_mark(world: World) -> tuple[str | None, str]:
    told = json.loads(disk.read_regular(at(world, MARK)) or b"{}")
    return told.get("backup"), str(told.get("stage", ""))


def _write_mark(world: World, backup: str | None, stage: str) -> None:
    place = at(world, MARK)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    disk.write_whole(place, json.dumps({"backup": backup, "stage": stage}).encode())
