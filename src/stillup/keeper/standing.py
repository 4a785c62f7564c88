"""Reads how MariaDB stands out of what it says about its group: pure.

Source: MariaDB knowledge base, "Galera Cluster Status Variables".
"""

from collections.abc import Mapping
from dataclasses import dataclass

from stillup.keeper.grastate import NOBODY
from stillup.keeper.seen import Phase, Position

STATUS = (
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status', 'wsrep_local_state', 'wsrep_ready', "
    "'wsrep_last_committed', 'wsrep_local_state_uuid', 'wsrep_incoming_addresses', 'wsrep_cluster_size', 'wsrep_local_recv_queue')"
)
DONOR, SYNCED = "2", "4"
"""Who gives a copy by mariabackup goes on serving."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a MariaDB that answers stands in its group.

    Args:
        phase: ``MEMBER``, ``JOINING`` or ``CUT_OFF``.
        position: Up to where its data go, if it says so.
        view: The names of the servers with data in its group, in order.
        size: How many its group has, with the arbiter.
        behind: How many commits it has received and not carried out.
    """

    phase: Phase
    position: Position | None
    view: tuple[str, ...]
    size: int
    behind: int


def standing(status: Mapping[str, str], names: Mapping[str, str]) -> Standing:
    """Return how it stands; ``names`` are the servers' by their addresses."""
    addresses = status.get("wsrep_incoming_addresses", "").split(",")
    view = {names.get(address.rpartition(":")[0].strip("[] ")) for address in addresses}
    return Standing(
        _phase(status),
        _position(status),
        tuple(sorted(name for name in view if name is not None)),
        _number(status, "wsrep_cluster_size", 0),
        _number(status, "wsrep_local_recv_queue", 1),
    )


def _phase(status: Mapping[str, str]) -> Phase:
    if status.get("wsrep_cluster_status") != "Primary":
        return Phase.CUT_OFF
    is_ready = status.get("wsrep_ready") == "ON"
    if is_ready and status.get("wsrep_local_state") in (DONOR, SYNCED):
        return Phase.MEMBER
    return Phase.JOINING


def _position(status: Mapping[str, str]) -> Position | None:
    cluster = status.get("wsrep_local_state_uuid", NOBODY)
    seqno = _number(status, "wsrep_last_committed", -1)
    return None if cluster in ("", NOBODY) or seqno < 0 else Position(cluster, seqno)


def _number(status: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(status.get(name, default))
    except ValueError:
        return default
