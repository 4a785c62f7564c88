"""Speak to this server's HAProxy through its runtime API (management guide, section 9.3).

A drain outlives a reload, a restart and a power loss: after each one the servers' state is
saved to where HAProxy's configuration loads it from (``server-state-file``), and the unit saves
it again whenever HAProxy is reloaded or stopped.

Who drained is noted beside: what an ``apply`` that was interrupted left drained, the next one
undrains; what a user drained stays drained until a user undrains it.
"""

import csv
import json
import socket
from dataclasses import dataclass

from stillup.errors import ServerFailed
from stillup.node.disk import read_regular, write_whole
from stillup.node.message import JsonObject
from stillup.node.world import World, at

SOCKET = "/run/haproxy/admin.sock"
STATE_FILE = "/var/lib/haproxy/server-state"
NOTE = "/var/lib/stillup/drained-by-apply.json"
BACKENDS = ("site", "anyway")
"""Those with the web servers: of the first it is told how they stand. A HAProxy that runs with an older
configuration may not have the second yet."""
BY_USER = "user"
BY_APPLY = "apply"
ANSWER_S = 3.0
DRAINED = 0x08
"""SRV_ADMF_FDRAIN: drained by an administrator (management guide, "show servers state")."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server of a backend, as HAProxy sees it."""

    backend: str
    server: str
    status: str
    weight: int
    drain: bool
    check: str
    sessions: int
    since_s: int
    drained_by: str | None = None
    """``user`` or ``apply``; None when not drained. What is not known to be ours is the user's."""


def ask(world: World, command: str) -> str:
    """Send one command and return the whole answer.

    Raises:
        ServerFailed: If nobody answers at the socket.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(ANSWER_S)
            line.connect(str(at(world, SOCKET)))
            line.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: line.recv(65536), b"")).decode(errors="replace")
    except OSError as error:
        raise ServerFailed(
            f"HAProxy does not answer at {SOCKET}: {error.strerror or 'no answer in time'}"
        ) from error


def targets(world: World) -> tuple[Target, ...]:
    """Return every server of every backend."""
    drained, ours = _drained(ask(world, "show servers state")), _ours(world)
    text = ask(world, "show stat -1 4 -1").removeprefix("# ")
    return tuple(
        Target(
            backend=row["pxname"],
            server=row["svname"],
            status=row["status"],
            weight=int(row["weight"] or 0),
            drain=(row["pxname"], row["svname"]) in drained,
            check=" ".join(filter(None, [row["check_status"], row["last_chk"]])),
            sessions=int(row["scur"] or 0),
            since_s=int(row["lastchg"] or 0),
            drained_by=_by(row["svname"], ours)
            if (row["pxname"], row["svname"]) in drained
            else None,
        )
        for row in csv.DictReader(text.splitlines())
    )


def as_json(target: Target) -> JsonObject:
    """Return a target as the session tells it."""
    return {
        "backend": target.backend,
        "server": target.server,
        "status": target.status,
        "weight": target.weight,
        "drain": target.drain,
        "check": target.check,
        "sessions": target.sessions,
        "since_s": target.since_s,
        "drained_by": target.drained_by,
    }


def drain(world: World, server: str, *, drain: bool, by: str = BY_USER) -> int:
    """Send no new users to ``server``, or send them again; return its open sessions.

    Asking again changes nothing, so that the caller may ask until the answer is 0. An
    ``apply`` never undrains what a user drained, and a user who drains what an ``apply`` has
    drained keeps it so.

    Raises:
        ServerFailed: If HAProxy does not know the server, or does not answer.
    """
    target, *others = _targets(world, server)
    kept = by == BY_APPLY and target.drained_by == BY_USER
    # The note comes before the drain and goes after it, so that a drain of ours is never
    # taken for the user's, whenever this is interrupted; and what is told of goes first, and last.
    if drain and not kept:
        _note(world, server, ours=by == BY_APPLY)
    for each in (target, *others) if drain or kept else (*others, target):
        _set(world, each, drain=drain or kept)
    save_state(world)
    if not drain and not kept:
        _note(world, server, ours=False)
    return sum(each.sessions for each in _targets(world, server))


def save_state(world: World) -> None:
    """Save the servers' state to where HAProxy loads it from when it starts."""
    place = at(world, STATE_FILE)
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_whole(place, ask(world, "show servers state").encode(), 0o644)


def _set(world: World, target: Target, *, drain: bool) -> None:
    # The state keeps new users away; the weight is what the configuration sees, which then
    # sends the users of old sessions elsewhere as well.
    if target.drain == drain and (target.weight == 0) == drain:
        return
    for word in ("state drain", "weight 0%") if drain else ("weight 100%", "state ready"):
        answer = ask(world, f"set server {target.backend}/{target.server} {word}").strip()
        if answer:
            raise ServerFailed(f"HAProxy did not set {target.server} to {word}: {answer}")


def _targets(world: World, server: str) -> list[Target]:
    """Return a web server in each of ``BACKENDS`` that has it, in their order."""
    found = {each.backend: each for each in targets(world) if each.server == server}
    if BACKENDS[0] not in found:
        raise ServerFailed(f"HAProxy has no server {server} in its backend {BACKENDS[0]}")
    return [found[backend] for backend in BACKENDS if backend in found]


def _by(server: str, ours: frozenset[str]) -> str:
    return BY_APPLY if server in ours else BY_USER


def _ours(world: World) -> frozenset[str]:
    """Return the servers that an ``apply`` has drained, or was about to."""
    try:
        return frozenset(json.loads(read_regular(at(world, NOTE)) or b"[]"))
    except (ValueError, TypeError):
        return frozenset()


def _note(world: World, server: str, *, ours: bool) -> None:
    before = _ours(world)
    after = before | {server} if ours else before - {server}
    if after != before:
        place = at(world, NOTE)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(place, json.dumps(sorted(after)).encode(), 0o644)


def _drained(text: str) -> frozenset[tuple[str, str]]:
    """Return the drained servers from "show servers state": a version, a header, rows."""
    lines = [line for line in text.splitlines() if line.strip()]
    header = next((line[2:].split() for line in lines if line.startswith("# ")), [])
    rows = [dict(zip(header, line.split(), strict=False)) for line in lines]
    return frozenset(
        (row["be_name"], row["srv_name"])
        for row in rows
        if row.get("srv_admin_state", "").isdigit() and int(row["srv_admin_state"]) & DRAINED
    )
