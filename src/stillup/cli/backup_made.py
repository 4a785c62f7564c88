"""When the farm's newest backup was made, where that is known without asking another machine."""

import os
import re
import subprocess
from datetime import datetime
from pathlib import Path

from stillup.backup import names
from stillup.cli.local_files import beside
from stillup.model.farm import Farm
from stillup.status.observed import Backups

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
_WITHIN_S = 2.0


def backups(farm: Farm, farm_path: Path) -> Backups | None:
    """Return what is known of the backups; None where there are none to be, or they are elsewhere."""
    to = farm.backup.to
    if to is None or "://" in to:
        return None
    try:
        found = [place.name for place in beside(farm_path, to).iterdir()]
    except FileNotFoundError:
        found = []
    except OSError:
        # Another account's, which is as it should be.
        return None
    made = [names.made_at(name) for name in found if names.is_of(farm.name, name)]
    newest = max(made, default=None)
    return Backups(None if newest is None else newest.timestamp(), _every_s(farm.backup.at))


def _every_s(calendar: str) -> float | None:
    """Return the time between the next two times of a calendar expression; None if it is not known."""
    words = ["systemd-analyze", "calendar", "--iterations=2", "--", calendar]
    try:
        ran = subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=_WITHIN_S,
            check=False,
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    told = _TIME.findall(ran.stdout)
    times = [
        datetime.strptime(each.replace("UTC", "+0000"), "%Y-%m-%d %H:%M:%S %z") for each in told
    ]
    return (times[1] - times[0]).total_seconds() if len(times) == 2 else None
