"""What backups are called, and which of them are kept. Pure.

A backup is a folder ``FARM-YYYYMMDD-HHMMSSZ`` (UTC). While it is made it is called
``.NAME.MACHINE.part``, while it is removed ``.NAME.gone``: neither is ever taken for a backup.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

_STAMP = "%Y%m%d-%H%M%SZ"
_FORM = re.compile(r"(?P<farm>[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?)-\d{8}-\d{6}Z")
_LEFT = re.compile(r"\.(?P<name>[a-z0-9-]+Z)\.(?:gone|(?P<machine>[a-z0-9]+)\.part)")


def name_of(farm: str, made: datetime) -> str:
    """Return the name of a farm's backup made at that time."""
    return f"{farm}-{made.astimezone(UTC):{_STAMP}}"


def is_of(farm: str | None, name: str) -> bool:
    """Tell whether a name is that of one of this farm's backups; of any farm's for None."""
    found = _FORM.fullmatch(name)
    if found is None or farm not in {None, found["farm"]}:
        return False
    try:
        made_at(name)
    except ValueError:
        # Digits, and no date.
        return False
    return True


def made_at(name: str) -> datetime:
    """Return when a backup of that name was made; see ``is_of``."""
    return datetime.strptime(name[-len("YYYYMMDD-HHMMSSZ") :], _STAMP).replace(tzinfo=UTC)


def unfinished(name: str, machine: str) -> str:
    """Return what a backup is called while ``machine`` makes it."""
    return f".{name}.{machine}.part"


def going(name: str) -> str:
    """Return what a backup is called while it is removed."""
    return f".{name}.gone"


def leftovers(farm: str, machine: str, found: Iterable[str]) -> tuple[str, ...]:
    """Return what interrupted commands of this farm on this machine left behind.

    What another machine makes right now stays.
    """
    left = []
    for name in found:
        known = _LEFT.fullmatch(name)
        if known and is_of(farm, known["name"]) and known["machine"] in {None, machine}:
            left.append(name)
    return tuple(sorted(left))


def spare(farm: str, found: Iterable[str], keep: int) -> tuple[str, ...]:
    """Return the farm's backups beyond the newest ``keep``, oldest first."""
    ours = sorted(name for name in found if is_of(farm, name))
    return tuple(ours[: max(0, len(ours) - max(1, keep))])
