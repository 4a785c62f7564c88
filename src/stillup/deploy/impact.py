"""What a change to a server would disturb (pure)."""

from stillup.deploy.standing import Change, Standing

HEARTBEAT = "stillup-heartbeat.service"
VITAL_FOR_ADDRESS = frozenset({HEARTBEAT, "haproxy.service", "stillup-firewall.service"})
"""Units whose restart on the holder of the virtual IP would be felt by users."""
DATABASE = "mariadb.service"
INTERRUPTING = frozenset({"restart", "start", "stop", "remove"})


def disturbs_address(standing: Standing) -> bool:
    """Tell whether the change may keep a balancer from answering for a moment.

    What was interrupted may be half done, so it counts as everything.
    """
    return standing.unfinished or any(
        _is_deep(change) or _interrupts(change, VITAL_FOR_ADDRESS) for change in standing.changes
    )


def disturbs_vote(standing: Standing) -> bool:
    """Tell whether the change may restart the heartbeat, which then keeps silent for a lease."""
    return standing.unfinished or any(
        _is_deep(change) or _interrupts(change, {HEARTBEAT}) for change in standing.changes
    )


def stops_database(standing: Standing) -> bool:
    """Tell whether the change may restart MariaDB."""
    return any(
        change.kind == "package" or _interrupts(change, {DATABASE}) for change in standing.changes
    )


def _is_deep(change: Change) -> bool:
    """A package restarts what it brings, a sysctl may change how the network behaves."""
    return change.kind in {"package", "sysctl"}


def _interrupts(change: Change, units: frozenset[str] | set[str]) -> bool:
    return (
        change.kind in {"unit", "reaction"}
        and change.action in INTERRUPTING
        and change.name in units
    )
