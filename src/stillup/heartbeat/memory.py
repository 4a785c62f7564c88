"""What a daemon knows of its earlier lives: their longest lease, and the moves they saw.

A voter forgets its votes when it ends, so after its start it is silent until they have run
out. If the farm's lease was made shorter meanwhile, that takes the older, longer time. The
runtime folder keeps the number, and does not let it shrink before the silence is over: one
more restart might cut that short. It is lost when the machine boots, which takes longer than
a lease of up to some seconds.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from stillup.heartbeat.report import Move

FILE = "longest_lease_ms"
MOVES_FILE = "moves.json"
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


def moves(folder: Path | None, address: str) -> list[Move]:
    """Return the last moves of an address that earlier lives of this daemon saw.

    They lie in the runtime folder, in memory: writing to a disk can take longer than a lease. A
    reboot forgets them; the journal does not.
    """
    if folder is None:
        return []
    try:
        told = json.loads((folder / MOVES_FILE).read_text())
        return [
            Move(float(at), holder, ballot, str(reason))
            for at, holder, ballot, reason in told[address]
        ]
    except (OSError, ValueError, TypeError, KeyError, LookupError):
        return []  # there is none, or it is of another version: only people miss it


def remember_moves(folder: Path | None, seen: Mapping[str, Iterable[Move]]) -> None:
    """Keep the last moves of each address for the next life; replaced as a whole."""
    if folder is None:
        return
    told = {
        address: [[move.at, move.holder, move.ballot, move.reason] for move in found]
        for address, found in seen.items()
    }
    beside = folder / f".{MOVES_FILE}"
    with contextlib.suppress(OSError):
        beside.write_text(json.dumps(told))
        beside.replace(folder / MOVES_FILE)
