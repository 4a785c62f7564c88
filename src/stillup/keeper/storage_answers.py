"""What Gluster's own words mean: ``gluster get-state`` and ``gluster volume status`` (pure).

``get-state`` asks this server's Gluster alone and takes no lock, so that looking every other
second disturbs nobody; what it does not tell (how the others' bricks are) is asked only when
something hangs on it.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass

from stillup.keeper.storage_seen import Brick, Volume
from stillup.keeper.storage_settings import BRICK, VOLUME

_AT_ONE = ("Peer in Cluster", "Connected")


@dataclass(frozen=True, slots=True)
class Pool:
    """What one server's Gluster knows."""

    connected: frozenset[str]
    known: frozenset[str]
    volume: Volume | None
    runs: bool
    """Whether this server's own brick runs."""


def pool(state: str) -> Pool:
    """Return what ``gluster get-state`` wrote."""
    told = dict(line.split(": ", 1) for line in state.splitlines() if ": " in line)
    peers = {
        told[f"{peer}.primary_hostname"]: (
            told.get(f"{peer}.state", ""),
            told.get(f"{peer}.connected", ""),
        )
        for peer in _numbered(told, "Peer", "primary_hostname")
    }
    volume = next(
        (v for v in _numbered(told, "Volume", "name") if told[f"{v}.name"] == VOLUME), None
    )
    return Pool(
        connected=frozenset(address for address, words in peers.items() if words == _AT_ONE),
        known=frozenset(peers),
        volume=None if volume is None else _volume(told, volume),
        # Of the other servers' bricks it says nothing.
        runs=volume is not None
        and any(told.get(f"{b}.status") == "Started" for b in _bricks(told, volume)),
    )


def _volume(told: dict[str, str], volume: str) -> Volume:
    arbiters = int(told.get(f"{volume}.arbiter_count", "0"))
    bricks = list(_bricks(told, volume))
    prefix = f"{volume}.options."
    return Volume(
        # The arbiter is the last of its group.
        bricks=tuple(
            Brick(told[f"{brick}.hostname"], is_arbiter=arbiters == 1 and brick == bricks[-1])
            for brick in bricks
        ),
        id=told.get(f"{volume}.id", ""),
        started=told.get(f"{volume}.status") == "Started",
        options={key.removeprefix(prefix): v for key, v in told.items() if key.startswith(prefix)},
    )


def _bricks(told: dict[str, str], volume: str) -> Iterator[str]:
    return _numbered(told, f"{volume}.Brick", "hostname")


def _numbered(told: dict[str, str], what: str, key: str) -> Iterator[str]:
    number = 1
    while f"{what}{number}.{key}" in told:
        yield f"{what}{number}"
        number += 1


def all_run(status: str, volume: Volume) -> bool:
    """Say whether every brick runs, as ``gluster volume status --xml`` tells."""
    told = ET.fromstring(status)  # noqa: S314 - this server's own Gluster wrote it
    running = {
        node.findtext("hostname")
        for node in told.iter("node")
        if node.findtext("path") == BRICK and node.findtext("status") == "1"
    }
    return volume.addresses <= running


def behind(counts: str) -> int | None:
    """Return how many files any brick has to heal on another one; None if one did not answer.

    Args:
        counts: What ``gluster volume heal VOLUME statistics heal-count`` wrote.
    """
    lines = [line for line in counts.splitlines() if line.startswith("Number of entries")]
    numbers = [line.partition(":")[2].strip() for line in lines]
    if not numbers or not all(number.isdigit() for number in numbers):
        return None
    return sum(map(int, numbers))


def differing(summary: str) -> int | None:
    """Return how many files the bricks do not agree on; None if one could not tell.

    Files that are just being written to are not counted.

    Args:
        summary: What ``gluster volume heal VOLUME info summary --xml`` wrote.
    """
    try:
        told = ET.fromstring(summary)  # noqa: S314 - this server's own Gluster wrote it
    except ET.ParseError:
        return None
    kinds = ("numberOfEntriesInHealPending", "numberOfEntriesInSplitBrain")
    counts = [brick.findtext(kind) or "" for brick in told.iter("brick") for kind in kinds]
    if not counts or not all(count.isdigit() for count in counts):
        return None
    return max(map(int, counts))


def knows_volume(listing: str) -> bool:
    """Say whether ``gluster volume list`` names the volume."""
    return VOLUME in listing.split()


def entries(info: str) -> list[str]:
    """Return the paths, from the volume's root, that ``gluster volume heal VOLUME info`` names."""
    return sorted({line.strip() for line in info.splitlines() if line.startswith("/")})
