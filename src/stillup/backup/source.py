"""Which server a backup is taken from, and where it is tried. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stillup.errors import BackupFailed
from stillup.node.message import JsonObject

TableName = tuple[str, str, str]
"""Schema, name and engine."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a database server stands, as it said itself."""

    version: str
    tables: tuple[TableName, ...]
    filled: int
    """How many of the site's tables have rows."""
    bytes: int
    clustered: bool
    usable: bool
    writer: str | None


def look_of(answer: JsonObject) -> Look:
    """Return what ``backup.look`` told."""
    listed = answer.get("tables")
    return Look(
        str(answer.get("version")),
        tuple(table_of(words) for words in listed) if isinstance(listed, list) else (),
        int(str(answer.get("filled", 0))),
        int(str(answer.get("bytes", 0))),
        answer.get("clustered") is True,
        answer.get("usable") is True,
        str(answer["writer"]) if answer.get("writer") else None,
    )


def table_of(words: object) -> TableName:
    """Return a table's name from its list."""
    assert isinstance(words, list)
    schema, name, engine = (str(word) for word in words[:3])
    return schema, name, engine


def chosen(looks: Mapping[str, Look], unreached: Sequence[str]) -> str:
    """Return the server to copy the database from: not the writer, where there is another.

    The last of the farm file, as the first is the one that mostly writes.

    Args:
        looks: What each database server that answers said, in the farm file's order.
        unreached: Why the others do not.

    Raises:
        BackupFailed: If none can be copied from.
    """
    usable = [name for name, look in looks.items() if look.usable]
    if not usable:
        reasons = "; ".join(unreached) or "; ".join(f"{name} is not in its group" for name in looks)
        raise BackupFailed(f"no database server can be copied from: {reasons}")
    readers = [name for name in usable if looks[name].writer != name]
    return (readers or usable)[-1]


def missing(
    before: Sequence[TableName], after: Sequence[TableName], copied: Sequence[TableName]
) -> tuple[str, ...]:
    """Return tables that were there before and after the copy was made, and are not in it."""
    lasting = set(before) & set(after)
    return tuple(f"{schema}.{name}" for schema, name, _ in sorted(lasting - set(copied)))
