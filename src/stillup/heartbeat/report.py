"""The daemon's status as JSON, from values: pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from stillup.heartbeat.core import Status
from stillup.heartbeat.lateness import Lateness
from stillup.heartbeat.settings import DaemonSettings, Json

MOVES = 20


@dataclass(frozen=True, slots=True)
class Move:
    """The address changed hands, as far as this server knows.

    Args:
        at: When, in seconds since 1970, for people.
        holder: Who holds it now; None for nobody.
        ballot: Under which ballot.
        reason: In words.
    """

    at: float
    holder: str | None
    ballot: str | None
    reason: str

    def as_json(self) -> dict[str, Json]:
        """Return it as it stands in the status."""
        return {
            "at": round(self.at, 3),
            "holder": self.holder,
            "ballot": self.ballot,
            "reason": self.reason,
        }


@dataclass(slots=True)
class History:
    """The last moves.

    Attributes:
        changed_s: When the last one was, on the daemon's clock.
    """

    changed_s: float
    moves: deque[Move] = field(default_factory=lambda: deque(maxlen=MOVES))

    def add(self, move: Move, now_s: float) -> float:
        """Note a move; return how long the state before it lasted."""
        lasted_s = now_s - self.changed_s
        self.changed_s = now_s
        self.moves.append(move)
        return lasted_s


def status(
    settings: DaemonSettings,
    node: Status,
    history: History,
    lateness: Lateness,
    now_s: float,
) -> dict[str, Json]:
    """Return what every daemon tells; a candidate's kernel part is added by ``kernel``."""
    address = settings.vip.address
    holding: list[Json] = [address] if node.holding else []
    voters: dict[str, Json] = {
        name: {
            "address": settings.voters[name],
            "heard_ms": _milliseconds(node.heard_s.get(name)),
            "votes": name in node.votes,
        }
        for name in settings.voters
        if name != settings.name
    }
    return {
        "name": settings.name,
        "farm": settings.farm,
        "candidate": settings.is_candidate,
        "holder": {address: node.holder},
        "holding": holding,
        "since_s": round(now_s - history.changed_s, 3),
        "lease_ms": round(settings.lease_s * 1000),
        "lease_left_ms": round(node.left_s * 1000),
        "ballot": str(node.ballot) if node.ballot else None,
        "phase": node.phase,
        "healthy": node.healthy if settings.is_candidate else None,
        "reason": node.reason if settings.is_candidate else "it votes only",
        "yielding_s": round(node.yielding_s, 3),
        "silent_s": round(node.silent_s, 3),
        "votes": list(node.votes),
        "voters": voters,
        "lateness_ms": {
            "max": round(lateness.longest_s * 1000, 1),
            "recent": round(lateness.recent_s * 1000, 1),
        },
        "moves": [move.as_json() for move in history.moves],
    }


def counted(counts: Mapping[str, int]) -> dict[str, Json]:
    """Return counters as JSON."""
    return dict(sorted(counts.items()))


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
