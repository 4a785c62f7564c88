"""A copy of the database beside the one that serves: taken apart, made whole, looked through.

The copy is a stream of ``mariadb-backup``. It is unpacked into a folder, prepared (the changes
that were under way are completed or undone), and, to check it, served by a MariaDB of its own
that only root and the account ``mysql`` of this server can reach. All of it with what
processor and disk have left over.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stillup.errors import ServerFailed
from stillup.node import disk
from stillup.node.gently import AS_MYSQL, Program, feed, run, started
from stillup.node.machine import ENVIRONMENT
from stillup.node.message import Json, JsonObject
from stillup.node.requests import Session
from stillup.node.world import World

BUFFER = "64M"
SPARE_BYTES = 256 * 1024 * 1024
"""A copy never takes the last of the disk: the database that serves lives on it too."""
SPARE_SHARE = 0.05
START_WITHIN_S = 600.0
QUERY_WITHIN_S = 4 * 3600.0
UNREADABLE = ""
"""The engine of a table that MariaDB cannot open."""
COUNTED = ("InnoDB", "Aria", "MyISAM", "CSV", "ARCHIVE", "ROCKSDB", "MEMORY", UNREADABLE)
"""Engines whose tables are in the copy, and not on another server."""
TABLES = """\
SELECT JSON_ARRAY(table_schema, table_name, COALESCE(engine, '')) FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('information_schema', 'performance_schema', 'sys')
ORDER BY table_schema, table_name;
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the database."""

    schema: str
    name: str
    engine: str

    def sql(self, statement: str) -> str:
        """Return the statement with the table's name, quoted, in its ``{}``."""
        words = ("`" + word.replace("`", "``") + "`" for word in (self.schema, self.name))
        return statement.replace("{}", ".".join(words))


def unpack(session: Session, folder: Path) -> JsonObject:
    """Take what the controller streams apart into a new folder, and prepare it.

    Returns:
        ``bytes`` and ``sha256`` of the stream, and where it stands: see ``position``.

    Raises:
        ServerFailed: If the disk has no room, or it is no whole copy.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    digest, size = hashlib.sha256(), 0

    def hashed() -> Iterator[bytes]:
        nonlocal size
        for piece in session.pieces():
            digest.update(piece)
            size += len(piece)
            yield piece

    with started(("mbstream", "-x", "-C", str(folder)), takes=True) as program:
        feed(program, hashed(), before_each=lambda count: _require_room(folder, count))
        program.end_well(session)
    session.event("prepares", "the copy")
    run(
        session,
        ("mariadb-backup", "--prepare", f"--use-memory={BUFFER}", f"--target-dir={folder}"),
    )
    run(session, ("chown", "-R", "mysql:mysql", str(folder)))
    return {"bytes": size, "sha256": digest.hexdigest(), **position(folder)}


def _require_room(folder: Path, count: int) -> None:
    now = os.statvfs(folder)
    spare = max(SPARE_BYTES, int(now.f_blocks * now.f_frsize * SPARE_SHARE))
    if now.f_bavail * now.f_frsize - count < spare:
        raise ServerFailed(
            f"the disk below {folder.parent} has no room for a copy of the database: "
            f"{spare >> 20} MB have to stay free"
        )


def position(folder: Path) -> JsonObject:
    """Return where a copy stands: ``lsn``, ``gtid``, ``galera`` (uuid:seqno) and ``version``."""
    points = _words(folder, "checkpoints")
    lsn = re.search(r"^last_lsn = (\d+)$", points, re.MULTILINE)
    if lsn is None:
        raise ServerFailed("the copy does not say where it stands; it is no whole copy")
    version = re.search(r"^server_version = (\S+)", _words(folder, "info"), re.MULTILINE)
    binlog = _words(folder, "binlog_info").split()
    galera = _words(folder, "galera_info").split()
    return {
        "lsn": int(lsn[1]),
        "gtid": binlog[2] if len(binlog) > 2 else None,
        "galera": galera[0] if galera else None,
        "version": version[1] if version else None,
    }


def _words(folder: Path, name: str) -> str:
    # Called xtrabackup_* before MariaDB 11.1.
    for first in ("mariadb_backup", "xtrabackup"):
        if (found := disk.read_regular(folder / f"{first}_{name}")) is not None:
            return found.decode(errors="replace")
    return ""


@contextmanager
def served(session: Session, folder: Path) -> Iterator[Path]:
    """Have a MariaDB of its own serve the copy; give its socket."""
    beside = folder.with_name(f"{folder.name}-run")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o700)
    shutil.chown(beside, "mysql", "mysql")
    socket = beside / "socket"
    argv = (
        "mariadbd",
        f"--defaults-file={folder}/backup-my.cnf",
        *(f"--datadir={folder}", f"--socket={socket}", f"--pid-file={beside}/pid"),
        *(f"--tmpdir={beside}", "--skip-networking", "--skip-log-bin", "--skip-slave-start"),
        *("--wsrep-on=OFF", "--event-scheduler=OFF", "--performance-schema=OFF"),
        *(f"--innodb-buffer-pool-size={BUFFER}", "--max-connections=10"),
    )
    try:
        with started(argv, before=AS_MYSQL) as server:
            _await_ready(session, socket, server)
            yield socket
            query(session.world, "SHUTDOWN;", socket)
            server.end_well(session)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _await_ready(session: Session, socket: Path, server: Program) -> None:
    world = session.world
    began_s = told_s = world.now_s()
    while world.run(("mariadb-admin", f"--socket={socket}", "ping"), within_s=10.0).code != 0:
        now_s = world.now_s()
        if server.process.poll() is not None or now_s - began_s > START_WITHIN_S:
            raise ServerFailed(f"no MariaDB starts on the copy: {server.reason()}")
        if now_s - told_s > 5.0:
            session.event("starts", "a MariaDB on the copy")
            told_s = now_s
        world.pause(0.1)


def query(world: World, sql: str, socket: Path | None = None, *, force: bool = False) -> list[str]:
    """Return the lines that MariaDB answers, as root; of this server's own without a socket.

    Raises:
        ServerFailed: If it does not answer, or a statement fails; with ``force`` that is passed over.
    """
    argv = ["mariadb", "--batch", "--skip-column-names", "--raw", "--connect-timeout=5"]
    argv += ["--default-character-set=utf8mb4", *([f"--socket={socket}"] if socket else [])]
    argv += ["--force"] if force else []
    ran = world.run(argv, stdin=sql.encode(), within_s=QUERY_WITHIN_S, environment=ENVIRONMENT)
    if ran.code != 0 and not force:
        reason = ran.err.decode(errors="replace").strip().splitlines()
        raise ServerFailed(f"MariaDB does not answer: {reason[-1] if reason else ran.code}")
    return ran.out.decode(errors="surrogateescape").splitlines()


def tables(world: World, socket: Path | None = None) -> list[Table]:
    """Return the tables there are, without those that live on other servers."""
    found = [json.loads(line) for line in query(world, TABLES, socket)]
    return [Table(*words) for words in found if words[2] in COUNTED]


def looked_through(session: Session, socket: Path) -> JsonObject:
    """Check every table of a served copy, and count its rows.

    Returns:
        ``tables``: ``[schema, name, engine, rows]`` each; ``bad``: a sentence for each that is
        not sound.
    """
    found = tables(session.world, socket)
    counted: list[Json] = []
    bad: list[Json] = []
    for some in _each(found, 50):
        session.event("checks", f"{len(counted)} of {len(found)} tables")
        broken = _broken(session.world, some, socket)
        bad += broken
        if broken:
            continue
        counts = "".join(table.sql("SELECT COUNT(*) FROM {};\n") for table in some)
        rows = query(session.world, counts, socket)
        counted += [
            [table.schema, table.name, table.engine, int(count)]
            for table, count in zip(some, rows, strict=True)
        ]
    return {"tables": counted, "bad": bad}


def _each(found: Sequence[Table], count: int) -> Iterator[Sequence[Table]]:
    for first in range(0, len(found), count):
        yield found[first : first + count]


def _broken(world: World, some: Sequence[Table], socket: Path) -> list[Json]:
    names = ", ".join(table.sql("{}") for table in some)
    told = []
    for line in query(world, f"CHECK TABLE {names};", socket):
        table, _, rest = line.partition("\t")
        kind, _, text = rest.partition("\t")[2].partition("\t")
        fine = kind == "note" or (
            kind == "status" and text in {"OK", "Table is already up to date"}
        )
        if not fine and kind != "warning":
            told.append(f"{table}: {text}")
    return [*told]
