"""Who of the database servers takes the site's writes: pure.

One at a time, so that two writes never meet. The name stands in a replicated table, so that whoever is
cut off cannot name itself, and it is changed only from the name that was read: of two that try at once,
the group lets one through. That there is one is for good order, not for safety: should two take
writes for a moment, the group still orders and certifies each commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass

READ = "SELECT name, since FROM stillup.writer WHERE id = 1"
CREATE = (
    "CREATE DATABASE IF NOT EXISTS stillup",
    "CREATE TABLE IF NOT EXISTS stillup.writer (id TINYINT NOT NULL PRIMARY KEY, "
    "name VARCHAR(63) NOT NULL, since DATETIME NOT NULL) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS stillup.history (cluster CHAR(36) NOT NULL PRIMARY KEY, "
    "seqno BIGINT NOT NULL) ENGINE=InnoDB",
)

SILENT_S = 1.0
"""How long the writer's keeper may be silent before another takes over. Galera itself needs 1.5 s or
more to see that a server is gone; the new name waits in the group until then and counts at once."""
STEADY_S = 10.0
"""How long a writer that the group still has stays in any case: two that cannot hear one another, or have no room
in turn, must not take the role from each other again and again."""
HANDS_OVER_S = 1.5
"""How long a server that was the writer, and is well, goes on saying so: until every HAProxy has seen
that the new one says so too. If both stopped and began by the table alone, connections in between
would find nobody."""
SEEN_S = 1.0
"""Within which every HAProxy has seen that a server does not say so any more."""
EACH_S = 1.0
"""How much longer the next in order waits."""


@dataclass(frozen=True, slots=True)
class Roles:
    """What ``wants`` decides from.

    Args:
        name: This server, a usable member.
        view: The servers with data in the group.
        writer: Who is named; None before the first time.
        named_s: For how long this server has seen that name.
        silent_s: For how long each other server has not said that it is usable.
        cramped: Those whose disk has no room for writes, as they say.
    """

    name: str
    view: tuple[str, ...]
    writer: str | None
    named_s: float
    silent_s: Mapping[str, float]
    cramped: frozenset[str] = frozenset()


def wants(roles: Roles) -> bool:
    """Whether this server names itself now."""
    if roles.writer == roles.name:
        return False
    heard = [
        name
        for name in roles.view
        if name == roles.name or roles.silent_s.get(name, SILENT_S) < SILENT_S
    ]
    in_order = sorted(heard, key=lambda name: (name in roles.cramped, name))
    turn_s = in_order.index(roles.name) * EACH_S if roles.name in in_order else EACH_S
    if roles.writer is None or roles.writer not in roles.view:
        return roles.named_s >= turn_s or in_order[:1] == [roles.name]
    if roles.writer in roles.cramped and roles.name not in roles.cramped:
        # A server that was named a moment ago was named on purpose, as before another one restarts.
        return roles.named_s >= STEADY_S and in_order[:1] == [roles.name]
    silent_s = roles.silent_s.get(roles.writer, 0.0)
    return silent_s >= SILENT_S + turn_s and roles.named_s >= STEADY_S


def is_said(name: str, writer: str | None, was_s_ago: float) -> bool:
    """Whether ``name``, a usable member, tells HAProxy that it is the writer.

    ``was_s_ago``: how long ago it was named the writer as it knew; infinite for never.
    """
    return writer == name or was_s_ago < HANDS_OVER_S


def naming(roles: Roles, *, has_table: bool) -> tuple[str, ...]:
    """Return the statements by which this server names itself."""
    if roles.writer is not None:
        return (change(roles.writer, roles.name),)
    return (first(roles.name),) if has_table else (*CREATE, first(roles.name))


def first(name: str) -> str:
    """Return the statement that names ``name`` where nobody was ever named."""
    values = f"(1, {quoted(name)}, UTC_TIMESTAMP())"
    return "INSERT IGNORE INTO stillup.writer VALUES " + values  # noqa: S608 # quoted


def change(old: str, new: str) -> str:
    """Return the statement that names ``new`` if ``old`` is named."""
    change = f"name = {quoted(new)}, since = UTC_TIMESTAMP()"
    return f"UPDATE stillup.writer SET {change} WHERE id = 1 AND name = {quoted(old)}"  # noqa: S608 # quoted


def remember(cluster: str, seqno: int) -> str:
    """Return the statement that remembers where a history was ended."""
    values = f"({quoted(cluster)}, {seqno:d})"
    return "INSERT IGNORE INTO stillup.history VALUES " + values  # noqa: S608 # quoted


def quoted(text: str) -> str:
    """Return ``text`` as SQL's literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
