"""The operations of a session, and the session's beginning; the lines are in ``requests``.

A *change* is ``{"kind", "name", "action", "diff": str|null, "by_hand": bool}`` with

    kind       actions
    package    add
    user       add, change
    directory  add, change
    sysctl     add, change, remove (back to what it was before we set it)
    file       add, change, remove
    link       add, change, remove
    absent     remove
    command    run
    unit       enable, disable, start, stop, remove (stopped and disabled: no longer wanted)
    reaction   reload, restart (because of a changed path; "systemd" reload: daemon-reload)

and ``diff`` a unified difference for files, a short ``old -> new`` for others, "secret
changed" for secrets.

Operations:

    facts            {"address"?: str}  the server's LAN address
                     -> {"debian": 12|13, "php", "interface", "python"}
    lock             {"owner": str} -> {}; held until ``unlock`` or the session's end
    unlock           {} -> {}
    compare          {"bundle"} -> {"changes": [change], "unfinished": bool, "first": bool}
    apply            {"bundle", "overwrite"?: bool} -> {"changed": [change], "seconds": float}
                     takes the lock for itself when the session has not
    state            {} -> see ``stillup.node.state``
    ask              {"url": str, "host": str, "within_s": int} -> see ``stillup.node.ask``
    drain            {"server": str, "drain": bool, "by"?: "user"|"apply"} -> {"sessions": int}
                     at this balancer's HAProxy; ask again until 0
    vip              {"action": "yield"|"resume"|"failover", "seconds"?: int, "to"?: str,
                     "address"?: str} -> the daemon's answer; or {"action": "force", "dead":
                     [str], "go": bool, "address"?: str} -> {"risks": [str], "forced": bool}
    electorate       {"change": object|null} -> {"changed": bool}; who votes, while that changes (see
                     ``stillup.heartbeat.changing``); a daemon that runs goes by it at once
    database         {"action": "found"} -> {}; this server may found the database's group
                     {"action": "take"} -> {}; it is the one that is written to from now on
    release.begin    {"release": str, "sha256": hex, "size": bytes} -> {"have": bool}
    release.data     {"data": base64} -> {"received": bytes so far}
    release.end      {} -> {"release": str}; checked, unpacked, in place, not yet current
    release.switch   {"release": str} -> {"current", "previous": str|null, "opcache": str}
    release.list     {} -> {"current": str|null, "previous": str|null, "releases": [str],
                     "aim": str|null}
    release.aim      {"release": str|null} -> {}; which one all web servers are going back to
    release.back     {} -> as release.switch
    backup.*, restore.*  see ``stillup.node.backup_operations``
    drill.*          see ``stillup.node.drill_operations``
    fault.*          see ``stillup.node.faults``
"""

import contextlib
import io
import os
import select
import signal
import stat
import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from stillup.errors import InputRefused
from stillup.node import daemon, electorate, haproxy, release
from stillup.node.apply import apply
from stillup.node.bundle import Bundle
from stillup.node.codec import decode
from stillup.node.compare import as_json, differences
from stillup.node.copies import mark_birth, take_lead
from stillup.node.facts import as_json as facts_json
from stillup.node.facts import facts
from stillup.node.message import JsonObject
from stillup.node.observe import observe
from stillup.node.recover import known
from stillup.node.requests import Operation, Session, number, text
from stillup.node.state import state

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

LINE_CHECK_S = 5.0
IDLE_S = 40.0
"""How long a controller may be silent between requests; it says an empty line every ten seconds."""
TAKEN_S = 30.0
"""How long a controller may take nothing of what it is told."""
YIELD_S = 30
"""For how long a balancer that let the virtual IP go does not stand for it again."""


def _facts(session: Session, request: JsonObject) -> JsonObject:
    address = text(request, "address") if "address" in request else None
    return facts_json(facts(session.world, address))


def _lock(session: Session, request: JsonObject) -> JsonObject:
    session.lock.take(text(request, "owner"))
    return {}


def _unlock(session: Session, _request: JsonObject) -> JsonObject:
    session.lock.free()
    return {}


def _bundle(request: JsonObject) -> Bundle:
    return decode(request.get("bundle"))


def _compare(session: Session, request: JsonObject) -> JsonObject:
    bundle, earlier = _bundle(request), known(session.world)
    changes = differences(bundle, observe(session.world, bundle, earlier), earlier)
    return {
        "changes": [as_json(change) for change in changes],
        "unfinished": earlier.journal is not None,
        "first": earlier.manifest is None,
    }


def _apply(session: Session, request: JsonObject) -> JsonObject:
    bundle, began = _bundle(request), session.world.now_s()
    overwrite = bool(request.get("overwrite", False))
    held = session.lock.held
    session.lock.take(f"an apply of the farm {bundle.farm}")
    try:
        changed = apply(session.world, bundle, overwrite=overwrite, report=session.event)
    finally:
        if not held:
            session.lock.free()
    seconds = round(session.world.now_s() - began, 3)
    return {"changed": [as_json(change) for change in changed], "seconds": seconds}


def _state(session: Session, request: JsonObject) -> JsonObject:
    parts = request.get("parts", [])
    if not isinstance(parts, list):
        raise InputRefused("state: parts must be a list")
    return state(session.world, [str(part) for part in parts])


def _ask(_session: Session, request: JsonObject) -> JsonObject:
    # Imported here: HTTP and TLS would be a fifth of every session's start.
    from stillup.node.ask import ask

    return ask(text(request, "url"), text(request, "host"), number(request, "within_s"))


def _drain(session: Session, request: JsonObject) -> JsonObject:
    wanted = request.get("drain")
    if not isinstance(wanted, bool):
        raise InputRefused("drain: drain must be true or false")
    by = text(request, "by") if "by" in request else haproxy.BY_USER
    server = text(request, "server")
    return {"sessions": haproxy.drain(session.world, server, drain=wanted, by=by)}


def _vip(session: Session, request: JsonObject) -> JsonObject:
    match text(request, "action"):
        case "yield":
            seconds = number(request, "seconds") if "seconds" in request else YIELD_S
            to = {"to": text(request, "to")} if request.get("to") is not None else {}
            return daemon.ask(session.world, {"op": "yield", "seconds": seconds, **to})
        case "resume":
            return daemon.ask(session.world, {"op": "resume"})
        case "failover":
            question: JsonObject = {"op": "failover"}
            for name in ("to", "address"):
                if name in request:
                    question[name] = text(request, name)
            return daemon.ask(session.world, question)
        case "force":
            asked: JsonObject = {"op": "force", "dead": request.get("dead")}
            asked |= {"go": request.get("go"), "address": request.get("address")}
            return daemon.ask(session.world, asked)
        case other:
            raise InputRefused(f"vip: there is no action {other!r}")


def _electorate(session: Session, request: JsonObject) -> JsonObject:
    change = request.get("change")
    if change is not None and not isinstance(change, dict):
        raise InputRefused("electorate: change must be an object or null")
    return {"changed": electorate.set_change(session.world, change)}


def _database(session: Session, request: JsonObject) -> JsonObject:
    match text(request, "action"):
        case "found":
            mark_birth(session.world)
        case "take":
            take_lead(session.world)
        case other:
            raise InputRefused(f"database: there is no action {other!r}")
    return {}


def _release_begin(session: Session, request: JsonObject) -> JsonObject:
    session.drop_upload()
    name, digest = text(request, "release"), text(request, "sha256")
    session.upload = release.begin(session.world, name, digest, number(request, "size"))
    return {"have": session.upload is None}


def _release_data(session: Session, request: JsonObject) -> JsonObject:
    return {"received": release.receive(_upload(session), text(request, "data"))}


def _release_end(session: Session, _request: JsonObject) -> JsonObject:
    upload = _upload(session)
    session.upload = None
    release.end(session.world, upload)
    return {"release": upload.name}


def _upload(session: Session) -> release.Upload:
    if session.upload is None:
        raise InputRefused("release.begin comes first")
    return session.upload


def _release_switch(session: Session, request: JsonObject) -> JsonObject:
    return release.switch(session.world, text(request, "release"))


def _release_back(session: Session, _request: JsonObject) -> JsonObject:
    return release.back(session.world)


def _release_list(session: Session, _request: JsonObject) -> JsonObject:
    return release.listing(session.world)


def _release_aim(session: Session, request: JsonObject) -> JsonObject:
    wanted = text(request, "release") if request.get("release") is not None else None
    return release.aim(session.world, wanted)


def _of_backups(session: Session, request: JsonObject) -> JsonObject:
    # Imported here: archives and programs that stream are not for every session's start.
    from stillup.node.backup_operations import OPERATIONS as OF_BACKUPS

    return _one_of(OF_BACKUPS, session, request)


def _of_drills(session: Session, request: JsonObject) -> JsonObject:
    from stillup.node.drill_operations import OPERATIONS as OF_DRILLS

    return _one_of(OF_DRILLS, session, request)


def _of_faults(session: Session, request: JsonObject) -> JsonObject:
    from stillup.node.faults import OPERATIONS as OF_FAULTS

    return _one_of(OF_FAULTS, session, request)


def _one_of(
    operations: Mapping[str, Operation], session: Session, request: JsonObject
) -> JsonObject:
    operation = operations.get(text(request, "op"))
    if operation is None:
        raise InputRefused(f"there is no operation {request.get('op')!r}")
    return operation(session, request)


OPERATIONS: dict[str, Operation] = {
    "facts": _facts,
    "lock": _lock,
    "unlock": _unlock,
    "compare": _compare,
    "apply": _apply,
    "state": _state,
    "ask": _ask,
    "drain": _drain,
    "vip": _vip,
    "electorate": _electorate,
    "database": _database,
    "release.begin": _release_begin,
    "release.data": _release_data,
    "release.end": _release_end,
    "release.switch": _release_switch,
    "release.list": _release_list,
    "release.back": _release_back,
    "release.aim": _release_aim,
    "backup.*": _of_backups,
    "restore.*": _of_backups,
    "drill.*": _of_drills,
    "fault.*": _of_faults,
}


class _Heard(io.RawIOBase):
    """Standard input, and when it last had something to say.

    Attributes:
        at_s: When, on the monotonic clock; a piece of a long line counts, too.
    """

    def __init__(self, given: io.BufferedReader) -> None:
        # The loader has read from it before us, and it may hold what came behind.
        self._given = given
        self.at_s = time.monotonic()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        room = memoryview(buffer)
        data = self._given.read1(len(room))
        self.at_s = time.monotonic()
        room[: len(data)] = data
        return len(data)


class _Taken(io.RawIOBase):
    """Standard output, and a bound on how long the controller may take nothing.

    A controller that vanished would keep us writing for a quarter of an hour, until the kernel
    gives up, and a backup under way would keep its locks in the database for so long.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # So much a pipe, and so much a socket takes at once when poll(2) says that it takes any.
        self._room = 32768 if stat.S_ISSOCK(os.fstat(descriptor).st_mode) else select.PIPE_BUF
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        if not self._poll.poll(TAKEN_S * 1000):
            raise TimeoutError(f"the controller took nothing for {TAKEN_S:g} s")
        return os.write(self._descriptor, memoryview(data)[: self._room])


def _watch_line(session: Session, heard: _Heard) -> None:
    """Send an empty line on the error output now and then, and end when nothing comes back.

    A controller may vanish without a word (its laptop asleep, the network cut), and this session
    would keep the lock: for a quarter of an hour, until the kernel gives up on what was sent, and
    for ever if nothing is. An operation under way is ended first, as when the line breaks.
    """
    while True:
        time.sleep(LINE_CHECK_S)
        with contextlib.suppress(OSError):
            os.write(sys.stderr.fileno(), b"\n")
        if session.busy:
            heard.at_s = time.monotonic()
        elif time.monotonic() - heard.at_s > IDLE_S:
            # To the thread that reads, so that it is woken.
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def main() -> None:
    """Serve the controller on standard input and output."""
    from stillup.node.machine import Machine

    os.umask(0o022)
    given = sys.stdin.buffer
    assert isinstance(given, io.BufferedReader)
    heard = _Heard(given)
    sys.stdout.flush()
    told = io.BufferedWriter(_Taken(sys.stdout.fileno()))
    session = Session(Machine(), OPERATIONS, io.BufferedReader(heard), told)
    # A broken line or a closed terminal must not end a change in the middle. Handled, not
    # ignored: what is ignored stays ignored in every program that is started.
    for name in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda _number, _frame: session.end())
    threading.Thread(target=_watch_line, args=(session, heard), daemon=True).start()
    session.serve()
