"""What is wrong with the database: one MariaDB, or a group of several with its arbiter."""

from collections.abc import Iterator

from stillup.model.farm import Farm, Role
from stillup.model.tiebreakers import database_arbiter
from stillup.status import picture
from stillup.status.observed import DatabaseCopy, Observed
from stillup.status.verdict import Finding, Severity


def findings(farm: Farm, observed: Observed) -> Iterator[Finding]:
    """Yield every problem of the database, causes before symptoms."""
    if len(farm.having(Role.DATABASE)) == 1:
        yield from _alone(farm, observed)
    else:
        yield from _group(farm, observed)


def copies(farm: Farm, observed: Observed) -> dict[str, DatabaseCopy]:
    """Return what each database server that answered says of its copy, in the farm's order."""
    seen = picture.seen_with(farm, observed, Role.DATABASE)
    return {one.name: one.database_copy for one in seen if one.database_copy is not None}


def _alone(farm: Farm, observed: Observed) -> Iterator[Finding]:
    for seen in picture.seen_with(farm, observed, Role.DATABASE):
        if seen.database is None or not seen.database.alive:
            reason = seen.database.reason if seen.database is not None else ""
            yield Finding(
                "database-down",
                Severity.DOWN,
                f"the database on {seen.name} does not answer" + (f": {reason}" if reason else ""),
                f"see `journalctl -u mariadb` on {seen.name}; `stillup apply` starts it again",
                seen.name,
            )


def _group(farm: Farm, observed: Observed) -> Iterator[Finding]:
    told = copies(farm, observed)
    well = [name for name, copy in told.items() if copy.well]
    writers = [name for name, copy in told.items() if copy.leads]
    if not well:
        yield _down(told)
    elif not writers and len(told) == len(farm.having(Role.DATABASE)):
        yield Finding(
            "database-no-writer",
            Severity.DOWN,
            f"{_and(well)} could be written to, and none of them is",
            "it lasts for a second when another takes over; otherwise see "
            f"`journalctl -u stillup-database` on {well[0]}",
        )
    if len(writers) > 1:
        yield Finding(
            "database-two-writers",
            Severity.RISK,
            f"{_and(writers)} both say that they are the one to write to; what is written stays the "
            "same on all, but statements may have to be tried again",
            f"see `journalctl -u stillup-database` on {_and(writers)}",
        )
    for name, copy in told.items():
        if well and not copy.well:
            yield _unwell(name, copy)
    yield from _short(farm, told, well)


def _down(told: dict[str, DatabaseCopy]) -> Finding:
    reasons = "; ".join(f"{name}: {copy.why}" for name, copy in told.items())
    return Finding(
        "database-down",
        Severity.DOWN,
        "no database server can be used" + (f" ({reasons})" if reasons else ""),
        "start the database servers that are off: when enough of them are back to know which has all "
        "that was written, they go on by themselves. For one that is lost for good see "
        'docs/database.md, "A majority lost for good"',
    )


def _unwell(name: str, copy: DatabaseCopy) -> Finding:
    return Finding(
        "database-copy-missing",
        Severity.RISK,
        f"{name} is no current copy of the database: {copy.why}",
        f"it joins again by itself; if it does not, see `journalctl -u stillup-database -u mariadb` on {name}",
        name,
    )


def _short(farm: Farm, told: dict[str, DatabaseCopy], well: list[str]) -> Iterator[Finding]:
    """Yield what the group lacks for the loss of one more server."""
    servers, arbiter = farm.having(Role.DATABASE), database_arbiter(farm)
    if len(well) == 1:
        yield Finding(
            "database-no-spare",
            Severity.RISK,
            f"{well[0]} has the only current copy of the database: when it dies, the site is without one",
            "bring the other database servers back; see the problems that name them",
            well[0],
        )
    sizes = {copy.size for copy in told.values() if copy.well}
    if arbiter is not None and len(well) == len(servers) and sizes == {len(servers)}:
        yield Finding(
            "database-arbiter-missing",
            Severity.RISK,
            f"the database's third vote on {arbiter.name} is missing: when a database server dies, the "
            "others have no majority and stop",
            f"see `journalctl -u stillup-arbiter` on {arbiter.name}; `stillup apply` starts it again",
            arbiter.name,
        )


def _and(names: list[str]) -> str:
    return " and ".join(names)
