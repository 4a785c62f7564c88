"""Who keeps copies of the database and of the shared files, as the servers tell it (pure).

A server tells of a copy where several servers keep one (``stillup.node.copies``); a plain
MariaDB and an NFS export are kept alone, and told of by nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from stillup.model.farm import Role
from stillup.node.message import Json

KEPT = (Role.STORAGE, Role.DATABASE)
"""The roles whose servers keep what nobody else has."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One server's copy of what its role keeps."""

    well: bool
    """It is whole and current, and in the group that may write."""
    why: str = ""
    """What is missing for that."""
    peers: frozenset[str] = frozenset()
    """Who else has one, by the settings that this server goes by now."""
    leads: bool = False
    """It is the one that is written to."""


def copies(data: Json) -> Mapping[Role, Copy]:
    """Read a server's copies from the ``copies`` of its state."""
    if not isinstance(data, dict):
        return {}
    return {role: _copy(told) for role in KEPT if isinstance(told := data.get(role), dict)}


def heir(staying: Mapping[str, Copy | None]) -> str | None:
    """Return who of those who stay is to be written to from now on.

    Args:
        staying: The database servers that stay, each with its copy, in the farm file's order.

    Returns:
        None if one of them is written to already, or none has a copy that is well.
    """
    known = {name: copy for name, copy in staying.items() if copy}
    if any(copy.leads for copy in known.values()):
        return None
    return next((name for name, copy in known.items() if copy.well), None)


def _copy(told: Mapping[str, Json]) -> Copy:
    peers = told.get("peers")
    return Copy(
        told.get("well") is True,
        str(told.get("why") or ""),
        frozenset(map(str, peers)) if isinstance(peers, list) else frozenset(),
        told.get("leads") is True,
    )
