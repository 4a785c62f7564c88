"""What Galera writes down in the data folder about where it stands: pure.

``grastate.dat`` holds the history's UUID, the position after an orderly end (``-1`` while MariaDB
runs or after it died) and ``safe_to_bootstrap``. A zero UUID means: the data here are not to be trusted.
"""

import re
from dataclasses import dataclass

from stillup.keeper.seen import Position

NOBODY = "00000000-0000-0000-0000-000000000000"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RECOVERED = re.compile(r"WSREP: Recovered position: *([0-9a-f-]{36}):(-?\d+)")


@dataclass(frozen=True, slots=True)
class Grastate:
    """The content of ``grastate.dat``."""

    cluster: str
    seqno: int


def parse(text: str) -> Grastate | None:
    """Return what the file says; None if it says nothing that can be understood."""
    parts = [line.partition(":") for line in text.splitlines()]
    fields = {name.strip(): value.strip() for name, _, value in parts}
    cluster, seqno = fields.get("uuid", ""), fields.get("seqno", "")
    if _UUID.fullmatch(cluster) is None or re.fullmatch(r"-?\d+", seqno) is None:
        return None
    return Grastate(cluster, int(seqno))


def view(text: str) -> tuple[str, int]:
    """Return the name of the view in ``gvwstate.dat``, empty if there is none, and how many it has."""
    found = re.search(r"^view_id: *(.+)$", text, re.MULTILINE)
    return (
        found.group(1).strip() if found else "",
        len(re.findall(r"^member:", text, re.MULTILINE)),
    )


def founding(position: Position) -> str:
    """Return the file's text that lets Galera found from ``position``."""
    return (
        "# GALERA saved state\nversion: 2.1\n"
        f"uuid:    {position.cluster}\nseqno:   {position.seqno}\nsafe_to_bootstrap: 1\n"
    )


def recovered(log: str) -> Position | None:
    """Return the position that ``mariadbd --wsrep-recover`` wrote to its log."""
    found = _RECOVERED.findall(log)
    return Position(found[-1][0], int(found[-1][1])) if found else None
