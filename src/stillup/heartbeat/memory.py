"""The longest lease that an earlier life of this daemon may have granted.

A voter forgets its votes when it ends, so after its start it is silent until they have run
out. If the farm's lease was made shorter meanwhile, that takes the older, longer time. The
runtime folder keeps the number, and does not let it shrink before the silence is over: one
more restart might cut that short. It is lost when the machine boots, which takes longer than
a lease of up to some seconds.
"""

import contextlib
from pathlib import Path

FILE = "longest_lease_ms"
MOST_MS = 60_000


def silence_s(folder: Path | None, lease_s: float) -> float:
    """Return how long the voter is to be silent after this start.

    Args:
        folder: The runtime folder; None if there is none, as in a daemon run by hand.
        lease_s: The lease of this life.
    """
    if folder is None:
        return lease_s
    earlier_ms = 0
    with contextlib.suppress(OSError, ValueError):
        earlier_ms = min(int((folder / FILE).read_text()), MOST_MS)
    longest_s = max(lease_s, earlier_ms / 1000)
    # Should this life end within its silence, the next one must wait as long.
    remember(folder, longest_s)
    return longest_s


def remember(folder: Path | None, lease_s: float) -> None:
    """Keep ``lease_s`` for the next life; to be called once the silence is over.

    A full disk costs nothing: the file only matters if the lease is changed.
    """
    if folder is not None:
        with contextlib.suppress(OSError):
            (folder / FILE).write_text(f"{round(lease_s * 1000)}\n")
