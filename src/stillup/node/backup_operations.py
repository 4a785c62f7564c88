"""The operations of a session for backups and restores.

    backup.look      {} -> see ``backup.look``: how the database here stands
    backup.database  {"clustered"?: bool} -> {"bytes", "sha256"}; streams a copy of the database
    backup.mounted   {"mount": str} -> {}; the shared storage is mounted here, without a look into it
    backup.files     {"mount": str, "folders": [str]} -> {"bytes", "sha256", "entries",
                     "content_bytes", "skipped", "changing": [str], "listing": hex}; streams a tar
    backup.check     {} -> see ``backup.check``; is streamed a copy of the database
    restore.state    {} -> {"backup": str|null, "stage": ""|"ready"|"swapped"|"empty"}
    restore.filled   {"mount": str, "folders": [str]} -> {"files": int}; how many are there
    restore.take     {"backup": str, "sha256": hex} -> as database_copy.unpack; is streamed a copy
    restore.stop     {"group": bool} -> {}; MariaDB, and where several keep the database the keeper
    restore.swap     {"backup": str, "group": bool} -> {}; what was taken in is the data folder
    restore.empty    {"backup": str} -> {}; the data folder is empty
    restore.start    {"group": bool} -> {}; and answers
    restore.undo     {} -> {}; what was there before is the data folder
    restore.files    {"mount": str, "folders": [str], "listing": hex} -> {}; is streamed a tar, put
                     beside
    restore.place    {"mount": str, "folders": [str]} -> {}; what was put beside is in place
    restore.end      {} -> {}

What has a "mount" is refused where nothing is mounted there: what is read is nothing then, and
what is written would be hidden later.

Imported when the first of them is asked for: every other session starts without.
"""

from pathlib import Path

from stillup.errors import InputRefused, ServerFailed
from stillup.node import backup, restore
from stillup.node.lock import Lock
from stillup.node.message import JsonObject
from stillup.node.release_shared import require_mounted
from stillup.node.requests import Operation, Session, text
from stillup.node.shared_files import stream
from stillup.node.shared_restore import filled, put_in_place, require_arrived, unpack_beside
from stillup.node.world import at


def _folders(request: JsonObject) -> list[str]:
    given = request.get("folders")
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise InputRefused(f"{request.get('op')}: folders must be a list of strings")
    return [str(name) for name in given]


def _mounted(session: Session, request: JsonObject) -> Path:
    mount = text(request, "mount")
    require_mounted(session.world, mount)
    return at(session.world, mount)


def _is_mounted(session: Session, request: JsonObject) -> JsonObject:
    _mounted(session, request)
    return {}


def _files(session: Session, request: JsonObject) -> JsonObject:
    lock = Lock(session.world, backup.LOCK, "another backup")
    lock.take("a backup of the shared files")
    try:
        told, size, digest = stream(session, _mounted(session, request), _folders(request))
        # Gone meanwhile, it would have looked like files that were removed.
        _mounted(session, request)
    finally:
        lock.free()
    return {
        "bytes": size,
        "sha256": digest,
        "entries": told.entries,
        "content_bytes": told.content_bytes,
        "skipped": told.skipped,
        "changing": [*told.changing],
        "listing": told.listing.hexdigest(),
    }


def _filled(session: Session, request: JsonObject) -> JsonObject:
    return {"files": filled(_mounted(session, request), _folders(request))}


def _take_files(session: Session, request: JsonObject) -> JsonObject:
    mount = _mounted(session, request)
    listing = unpack_beside(session, mount)
    if listing != text(request, "listing"):
        raise ServerFailed("the shared files that arrived are not those that were sent")
    # Before the database is exchanged.
    require_arrived(mount, _folders(request))
    return {}


def _place_files(session: Session, request: JsonObject) -> JsonObject:
    put_in_place(_mounted(session, request), _folders(request))
    return {}


OPERATIONS: dict[str, Operation] = {
    "backup.look": backup.look,
    "backup.database": backup.database,
    "backup.mounted": _is_mounted,
    "backup.files": _files,
    "backup.check": backup.check,
    "restore.state": restore.state,
    "restore.filled": _filled,
    "restore.take": restore.take,
    "restore.swap": restore.swap,
    "restore.stop": restore.stop,
    "restore.empty": restore.empty,
    "restore.start": restore.start,
    "restore.undo": restore.undo,
    "restore.files": _take_files,
    "restore.place": _place_files,
    "restore.end": restore.end,
}
