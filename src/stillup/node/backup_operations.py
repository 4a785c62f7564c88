"""The operations of a session for backups and restores.

    backup.look      {} -> see ``backup.look``: how the database here stands
    backup.database  {"clustered"?: bool} -> {"bytes", "sha256"}; streams a copy of the database
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
    restore.files    {"mount": str, "listing": hex} -> {}; is streamed a tar, put beside
    restore.place    {"mount": str, "folders": [str]} -> {}; what was put beside is in place
    restore.end      {} -> {}

Imported when the first of them is asked for: every other session starts without.
"""

from stillup.errors import InputRefused, ServerFailed
from stillup.node import backup, restore
from stillup.node.lock import Lock
from stillup.node.message import JsonObject
from stillup.node.requests import Operation, Session, text
from stillup.node.shared_files import stream
from stillup.node.shared_restore import filled, put_in_place, unpack_beside
from stillup.node.world import at


def _folders(request: JsonObject) -> list[str]:
    given = request.get("folders")
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise InputRefused(f"{request.get('op')}: folders must be a list of strings")
    return [str(name) for name in given]


def _files(session: Session, request: JsonObject) -> JsonObject:
    lock = Lock(session.world, backup.LOCK, "another backup")
    lock.take("a backup of the shared files")
    try:
        mount = at(session.world, text(request, "mount"))
        told, size, digest = stream(session, mount, _folders(request))
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
    return {"files": filled(at(session.world, text(request, "mount")), _folders(request))}


def _take_files(session: Session, request: JsonObject) -> JsonObject:
    listing = unpack_beside(session, at(session.world, text(request, "mount")))
    if listing != text(request, "listing"):
        raise ServerFailed("the shared files that arrived are not those that were sent")
    return {}


def _place_files(session: Session, request: JsonObject) -> JsonObject:
    put_in_place(at(session.world, text(request, "mount")), _folders(request))
    return {}


OPERATIONS: dict[str, Operation] = {
    "backup.look": backup.look,
    "backup.database": backup.database,
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
