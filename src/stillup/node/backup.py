"""What a server does for a backup: streams the database, and checks a copy of it.

The database is copied while it serves. Only for the end of it ``mariadb-backup`` holds commits
up, for as long as the last of the log takes; a controller that takes nothing meanwhile is given
up (see ``stillup.node.session``), and the locks go with the program.
"""

import hashlib
import os
import shutil
from pathlib import Path

from stillup.errors import ServerFailed
from stillup.node.database_copy import looked_through, query, served, tables, unpack
from stillup.node.gently import given, started
from stillup.node.lock import Lock
from stillup.node.message import Json, JsonObject
from stillup.node.requests import Session
from stillup.node.world import World, at

DATA = "/var/lib/mysql"
CHECK = "/var/lib/mysql.stillup-check"
LOCK = "/run/stillup/backup.lock"
# Not of the site: MariaDB's own, and what the database servers keep among themselves.
OWN = ("mysql", "stillup")
STATE = """\
SELECT CONCAT(LOWER(variable_name), '=', variable_value) FROM information_schema.global_status
WHERE variable_name IN ('wsrep_ready', 'wsrep_cluster_status', 'wsrep_local_state_comment');
SELECT CONCAT('wsrep_on=', @@GLOBAL.wsrep_on);
SELECT CONCAT('version=', VERSION());
"""
WRITER = """\
SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'stillup' AND table_name = 'writer';
"""


def look(session: Session, _request: JsonObject) -> JsonObject:
    """Tell how the database of this server stands.

    Returns:
        ``version``, ``tables`` (``[schema, name, engine]`` each), ``filled`` (how many of the
        site's have rows), ``bytes`` (of the data folder), ``clustered``, ``usable``, ``writer``
        (whose name the servers agreed on, or null).
    """
    world = session.world
    state = dict(line.split("=", 1) for line in query(world, STATE))
    found = tables(world)
    site = [table for table in found if table.schema not in OWN]
    has_rows = "".join(table.sql("SELECT EXISTS (SELECT 1 FROM {});\n") for table in site)
    listed: list[Json] = [[table.schema, table.name, table.engine] for table in found]
    clustered = state.get("wsrep_on") in {"1", "ON"}
    return {
        "version": state.get("version"),
        "tables": listed,
        # What cannot be read is no empty table.
        "filled": len(site) - query(world, has_rows, force=True).count("0") if site else 0,
        "bytes": _size(at(world, DATA)),
        "clustered": clustered,
        "usable": not clustered or state.get("wsrep_ready") == "ON",
        "writer": _writer(world),
    }


def _writer(world: World) -> str | None:
    if query(world, WRITER) != ["1"]:
        return None
    named = query(world, "SELECT name FROM stillup.writer;")
    return named[0] if named else None


def _size(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(path, name).lstat().st_blocks * 512
            except FileNotFoundError:
                continue
    return total


def database(session: Session, request: JsonObject) -> JsonObject:
    """Stream a copy of the database, as ``mariadb-backup`` makes it, to the controller.

    Returns:
        ``bytes`` and ``sha256`` of the stream.

    Raises:
        ServerFailed: If the program fails, or the controller takes nothing.
        ChangeRefused: If another backup is under way on this server.
    """
    argv = ["mariadb-backup", "--backup", "--user=root", "--stream=mbstream"]
    argv += ["--galera-info"] if request.get("clustered") is True else []
    digest, size = hashlib.sha256(), 0
    lock = Lock(session.world, LOCK, "another backup")
    lock.take("a backup of the database")
    try:
        with started(argv, gives=True) as program:
            for piece in given(session, program):
                digest.update(piece)
                size += len(piece)
                session.send(piece)
            program.end_well(session)
            if "completed OK!" not in program.words():
                raise ServerFailed(f"mariadb-backup did not complete: {program.reason()}")
    finally:
        lock.free()
    return {"bytes": size, "sha256": digest.hexdigest()}


def check(session: Session, _request: JsonObject) -> JsonObject:
    """Take a copy of the database in, start a MariaDB on it, and look through all its tables.

    Nothing of it is left afterwards, and what an earlier check left behind is removed.

    Returns:
        As ``database_copy.unpack`` and ``database_copy.looked_through``.
    """
    folder = at(session.world, CHECK)
    lock = Lock(session.world, LOCK, "another backup")
    lock.take("a check of a backup")
    try:
        told = unpack(session, folder)
        with served(session, folder) as socket:
            return {**told, **looked_through(session, socket)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.free()
