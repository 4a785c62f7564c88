"""How much room MariaDB's disk has for what the site writes: acting."""

import os
from pathlib import Path

from stillup.keeper.data_folder import DATA

LEAST_BYTES = 64 << 20
"""With less it cannot be told which write will be refused: a table grows by up to 4 MB, a log by more."""
AGAIN_BYTES = 2 * LEAST_BYTES
"""What must be free before the disk counts as having room again: the role is not to go to and fro."""


def has_room(data: Path = DATA, *, had: bool = True) -> bool:
    """Whether the disk takes writes; ``had``: whether it did when it was looked at last."""
    try:
        seen = os.statvfs(data)
    except OSError:
        return False  # who does not even answer this takes nothing
    is_shut = bool(seen.f_flag & os.ST_RDONLY)
    # MariaDB may not use what is kept for root.
    return not is_shut and seen.f_bavail * seen.f_frsize >= (LEAST_BYTES if had else AGAIN_BYTES)
