"""The daemon's status as JSON, from values: pure."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stillup.heartbeat.known import Status
from stillup.heartbeat.lateness import Lateness
from stillup.heartbeat.settings import DaemonSettings, Vip
from stillup.heartbeat.settings_reader import Json

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
        seen: How many there were since the daemon began.
    """

    changed_s: float
    moves: deque[Move] = field(default_factory=lambda: deque(maxlen=MOVES))
    seen: int = 0

    def add(self, move: Move, now_s: float) -> float:
        """Note a move; return how long the state before it lasted."""
        lasted_s = now_s - self.changed_s
        self.changed_s = now_s
        self.moves.append(move)
        self.seen += 1
        return lasted_s


def seat(vip: Vip, node: Status, history: History, now_s: float) -> dict[str, Json]:
    """Return what is told of one virtual IP."""
    return {
        "address": vip.address,
        "preferred": vip.preferred,
        "holder": node.holder,
        "holding": node.holding,
        "since_s": round(now_s - history.changed_s, 3),
        "lease_left_ms": round(node.left_s * 1000),
        "ballot": str(node.ballot) if node.ballot else None,
        "phase": node.phase,
        "yielding_s": round(node.yielding_s, 3),
        "silent_s": round(node.silent_s, 3),
        "votes": list(node.votes),
        "declared_dead": list(node.dead),
        "offered_to": node.move.offered_to,
        "givers": list(node.move.givers),
        "stays": node.move.stays,
        "moves": [move.as_json() for move in history.moves],
        "moves_seen": history.seen,
    }


def status(
    settings: DaemonSettings,
    nodes: Sequence[Status],
    seats: Mapping[str, Mapping[str, Json]],
    lateness: Lateness,
) -> dict[str, Json]:
    """Return what a daemon tells of itself.

    ``vips`` has all that is known of each virtual IP. What stands beside it is for those who
    have one: of several, the holders of all, the longest silence and yielding, the moves of
    all in order of time, and for the rest what is said of the first.

    Args:
        settings: The daemon's.
        nodes: What each seat's node knows, in the order of ``seats``.
        seats: What ``seat`` returned (a candidate adds ``kernel``), by address.
        lateness: Of its loop.
    """
    first, node = next(iter(seats.values())), nodes[0]
    moves = [
        {**move, "address": address} for address, seat in seats.items() for move in _moves(seat)
    ]
    told: dict[str, Json] = {
        "name": settings.name,
        "farm": settings.farm,
        "candidate": settings.is_candidate,
        "address": settings.address,
        "candidates": list(settings.candidates),
        "witness": settings.witness,
        "change": settings.change.as_json() if settings.change else None,
        "holder": {address: seat["holder"] for address, seat in seats.items()},
        "holding": [address for address, seat in seats.items() if seat["holding"]],
        **{key: first[key] for key in ("since_s", "lease_left_ms", "ballot", "phase", "votes")},
        "lease_ms": round(settings.lease_s * 1000),
        "healthy": node.healthy if settings.is_candidate else None,
        "reason": node.reason if settings.is_candidate else "it votes only",
        "yielding_s": round(max(node.yielding_s for node in nodes), 3),
        "silent_s": round(max(node.silent_s for node in nodes), 3),
        "voters": _voters(settings, nodes),
        "lateness_ms": {
            "max": round(lateness.longest_s * 1000, 1),
            "recent": round(lateness.recent_s * 1000, 1),
        },
        "moves": list(sorted(moves, key=_at)[-MOVES:]),
        "vips": [dict(seat) for seat in seats.values()],
    }
    if "kernel" in first:
        told["kernel"] = first["kernel"]
    return told


def _voters(settings: DaemonSettings, nodes: Sequence[Status]) -> dict[str, Json]:
    """Return what is known of the other servers: heard about whichever address, the latest."""
    told: dict[str, Json] = {}
    for name, address in settings.voters.items():
        heard_s = [node.heard_s[name] for node in nodes if name in node.heard_s]
        if name != settings.name:
            told[name] = {
                "address": address,
                "heard_ms": round(min(heard_s) * 1000) if heard_s else None,
                "votes": any(name in node.votes for node in nodes),
            }
    return told


def _moves(seat: Mapping[str, Json]) -> list[dict[str, Json]]:
    moves = seat["moves"]
    return [move for move in moves if isinstance(move, dict)] if isinstance(moves, list) else []


def _at(move: Mapping[str, Json]) -> float:
    at = move["at"]
    return at if isinstance(at, float) else 0.0


def counted(counts: Mapping[str, int]) -> dict[str, Json]:
    """Return counters as JSON."""
    return dict(sorted(counts.items()))
