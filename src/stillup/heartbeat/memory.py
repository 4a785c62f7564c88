"""The longest lease that an earlier life of this daemon may have granted.

A voter forgets its votes when it ends, so after its start it is silent until they have run
out. If the farm's lease was made shorter meanwhile, that takes the older, longer time. The
runtime folder keeps the number; it is lost when the machine boots, which takes longer than a
lease of up to some seconds.
"""

import contextlib
from pathlib import Path

FILE = "longest_lease_ms"
MOST_MS = 60_000


def silence_s(folder: Path | None, lease_s: float) -> float:
    """Return how long the voter is to be silent, and keep ``lease_s`` for the next life.

    Args:
        folder: The runtime folder; None if there is none, as in a daemon run by hand.
        lease_s: The lease of this life.
    """
    lease_ms = round(lease_s * 1000)
    if folder is None:
        return lease_s
    file = folder / FILE
    earlier_ms = 0
    with contextlib.suppress(OSError, ValueError):
        earlier_ms = min(int(file.read_text()), MOST_MS)
    # A full disk costs nothing: the file only matters if the lease is changed.
    with contextlib.suppress(OSError):
        file.write_text(f"{lease_ms}\n")
    return max(lease_ms, earlier_ms) / 1000
