"""What is wrong with the farm's backups: none was made when one should have been."""

from collections.abc import Iterator

from stillup.status.observed import Observed
from stillup.status.verdict import Finding, Severity

LATE_PERIODS = 2.0
"""So many times of ``backup.at`` may pass without a new one: it takes a while, and may fail once."""


def findings(observed: Observed) -> Iterator[Finding]:
    """Yield a note when the newest backup is too old, or there is none."""
    seen = observed.backups
    if seen is None:
        return
    if seen.newest_at_s is None:
        text = "there is no backup of the farm yet"
    else:
        age_s = observed.at_s - seen.newest_at_s
        if seen.every_s is None or age_s <= LATE_PERIODS * seen.every_s:
            return
        text = (
            f"the newest backup is {_hours(age_s)} old; there should be one every "
            f"{_hours(seen.every_s)}"
        )
    yield Finding(
        "backup-old",
        Severity.NOTE,
        text,
        "`stillup backup` makes one, and `stillup backup timer on` has systemd make them",
    )


def _hours(seconds: float) -> str:
    hours = round(seconds / 3600)
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"
