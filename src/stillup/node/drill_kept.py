"""Tells which of a drill's numbers this keeper of data has, itself: in its MariaDB, on its own disk.

Only what has the right content counts. Numbers are told as ``[first, last]`` spans, rising.
"""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from stillup.errors import InputRefused, ServerFailed
from stillup.node.database_copy import query
from stillup.node.drill_place import require_token
from stillup.node.world import World, at


def rows(world: World, token: str, database: str) -> list[tuple[int, int]]:
    """Return the numbers of the rows that this server's own MariaDB has.

    Raises:
        ServerFailed: If it does not answer, or has no such table.
    """
    require_token(token)
    if "`" in database or not database:
        raise InputRefused(f"{database!r} is no database's name")
    table, words = f"`{database}`.stillup_drill_{token}", f"CONCAT('row ', n, ' of {token}')"
    # Both names were checked above, and names cannot be arguments of a statement.
    told = query(world, f"SELECT n FROM {table} WHERE words = {words};")  # noqa: S608
    return spans(map(int, told))


def files(world: World, token: str, folder: str) -> list[tuple[int, int]]:
    """Return the numbers of the files that lie on this server's own disk, whole.

    Args:
        world: A storage server.
        token: The drill's.
        folder: Where this server keeps what the web servers see as the shared folder.

    Raises:
        ServerFailed: If there is no such folder.
    """
    require_token(token)
    place = at(world, folder) / f".stillup-drill-{token}"
    if not place.is_dir():
        raise ServerFailed(f"{place} is not there: this server keeps nothing of the drill")
    found = (path for path in place.iterdir() if path.name.isdecimal())
    return spans(int(path.name) for path in found if _is_whole(path, token))


def _is_whole(path: Path, token: str) -> bool:
    return path.read_bytes() == f"file {path.name} of {token}\n".encode() * 100


def spans(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return the runs of numbers that follow one another, each as its first and its last."""
    known = sorted(set(numbers))
    if not known:
        return []
    breaks = [(before, after) for before, after in pairwise(known) if after != before + 1]
    firsts = [known[0], *(after for _, after in breaks)]
    lasts = [*(before for before, _ in breaks), known[-1]]
    return list(zip(firsts, lasts, strict=True))
