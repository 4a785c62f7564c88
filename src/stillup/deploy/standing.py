"""How a server stands before a change, as values read from what its node answered (pure).

A ``Standing`` is one server's answers to ``compare`` and ``state``; the plan is made from these
and the farm alone. What a server did not tell (its HAProxy or its heartbeat is silent, or it has
none) is None, never a made-up value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from stillup.deploy.copies import Copy, copies
from stillup.heartbeat.changing import Change as ElectorateChange
from stillup.heartbeat.changing import Side, change
from stillup.heartbeat.settings_reader import Reader
from stillup.model.farm import Role
from stillup.node.message import Json, JsonObject

PLAIN_DATABASE = "mariadb.service"
"""A unit of ours only where one server has the database alone."""
BY_APPLY = "apply"
BY_USER = "user"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what a server has and what it should have.

    ``kind`` and ``action`` are the words of the node's ``compare``; ``diff`` is unified, and
    None where there is no text or it is secret. ``by_hand``: somebody else's work would be lost.
    """

    kind: str
    name: str
    action: str
    diff: str | None = None
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Backend:
    """One web server as one balancer's HAProxy sees it."""

    up: bool
    """Its checks pass, whether it is drained or not."""
    drained_by: str | None = None
    """``user``, ``apply`` (left by an interrupted one), or None for not drained."""
    sessions: int = 0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What the heartbeat daemon on a server says of itself."""

    healthy: bool
    reason: str
    holding: bool
    """Whether it holds the virtual IP by a lease that has not run out."""
    side: Side | None = None
    """Everybody that takes part, by what it goes by now; None if it did not tell."""
    change: ElectorateChange | None = None
    """How far it is in a change of who takes part; None for no change."""
    holders: frozenset[str] = frozenset()
    """Who holds an address, as far as it knows."""
    yielding_s: float = 0.0
    """For how long it still stands back, as it was asked to let another hold the address."""
    votes: bool = True
    """It is silent for a lease after it started, since it may have voted before."""
    open: int = 0
    """How many connections live on there to addresses that it handed over."""
    drain_left_s: float = 0.0
    """For how long it lets them at most; 0 when there are none any more."""


class _Draining(TypedDict):
    open: int
    drain_left_s: float


@dataclass(frozen=True, slots=True)
class Standing:
    """One server, as seen just now."""

    server: str
    first: bool
    """Nothing was ever applied to it, so nothing of it serves."""
    unfinished: bool = False
    """An apply was interrupted on it, and is to be carried on."""
    changes: tuple[Change, ...] = ()
    backends: Mapping[str, Backend] | None = None
    heartbeat: Heartbeat | None = None
    release: str | None = None
    """The release of the site that it serves; None for none."""
    copies: Mapping[Role, Copy] = field(default_factory=dict)
    """Its copies of what several servers keep."""
    has_plain_database: bool = False
    """It has the database alone, by what was applied last."""
    has_group: bool = False
    """It belongs to a group of database servers, or may found one."""

    @property
    def to_change(self) -> bool:
        """Whether an apply has something to do on it."""
        return self.unfinished or bool(self.changes)

    @property
    def yielding(self) -> bool:
        """Whether it stands back from the virtual IP."""
        return self.heartbeat is not None and self.heartbeat.yielding_s > 0

    @property
    def leading(self) -> bool:
        """Whether it is the one of its group that is written to."""
        return any(copy.leads for copy in self.copies.values())

    @property
    def holding(self) -> bool:
        """Whether it holds the virtual IP."""
        return self.heartbeat is not None and self.heartbeat.holding


@dataclass(frozen=True, slots=True)
class Compared:
    """The answer to ``compare``."""

    first: bool
    unfinished: bool
    changes: tuple[Change, ...] = field(default=())


def compared(answer: JsonObject) -> Compared:
    """Read the answer to ``compare``."""
    return Compared(
        answer.get("first") is True,
        answer.get("unfinished") is True,
        changes(answer.get("changes")),
    )


def changes(data: Json) -> tuple[Change, ...]:
    """Read a list of changes, as ``compare`` and ``apply`` answer them."""
    return tuple(
        Change(
            str(item.get("kind", "")),
            str(item.get("name", "")),
            str(item.get("action", "")),
            diff if isinstance(diff := item.get("diff"), str) else None,
            item.get("by_hand") is True,
        )
        for item in _objects(data)
    )


def standing(server: str, answer: Compared, state: JsonObject) -> Standing:
    """Join a server's answers to ``compare`` and ``state``."""
    release = state.get("release")
    return Standing(
        server,
        answer.first,
        answer.unfinished,
        answer.changes,
        backends(state.get("haproxy")),
        heartbeat(state.get("heartbeat")),
        release if isinstance(release, str) else None,
        copies(state.get("copies")),
        PLAIN_DATABASE in (units if isinstance(units := state.get("units"), dict) else {}),
        state.get("has_group") is True,
    )


def backends(data: Json) -> Mapping[str, Backend] | None:
    """Read how a balancer's HAProxy sees the web servers; None when it did not answer."""
    if not isinstance(data, list):
        return None
    return {
        str(row.get("server")): Backend(_is_up(row), _drained_by(row), _sessions(row))
        for row in _objects(data)
        if row.get("backend") == "site"
    }


def heartbeat(data: Json) -> Heartbeat | None:
    """Read a heartbeat daemon's status; None when it did not answer."""
    if not isinstance(data, dict) or "healthy" not in data:
        return None
    holder, under_way = data.get("holder"), change(Reader(data))
    return Heartbeat(
        data.get("healthy") is True,
        str(data.get("reason") or ""),
        bool(data.get("holding")),
        # In the middle of a change both lists together need not be an electorate of their own.
        side=under_way.side if under_way else _side(data),
        change=under_way,
        holders=frozenset(str(name) for name in holder.values() if name is not None)
        if isinstance(holder, dict)
        else frozenset(),
        yielding_s=_positive(data.get("yielding_s")),
        votes=not _positive(data.get("silent_s")),
        **_draining(data.get("vips")),
    )


def _draining(vips: Json) -> _Draining:
    handing = [_object(each.get("handing")) for each in _objects(vips)]
    living = [each for each in handing if each.get("draining") is True]
    open_, left = ([each.get(key) for each in living] for key in ("open", "drain_left_s"))
    return _Draining(
        open=sum(each for each in open_ if isinstance(each, int)),
        drain_left_s=max(
            (float(each) for each in left if isinstance(each, int | float)), default=0
        ),
    )


def _side(data: JsonObject) -> Side | None:
    """Read who takes part by a daemon's status; None where it does not tell all of it."""
    voters, candidates, lease_ms = (data.get(key) for key in ("voters", "candidates", "lease_ms"))
    if not isinstance(voters, dict) or not isinstance(candidates, list):
        return None
    if not isinstance(lease_ms, (int, float)) or not candidates:
        return None
    others = {
        name: str(peer.get("address")) for name, peer in voters.items() if isinstance(peer, dict)
    }
    witness = data.get("witness")
    side = Side(
        {**others, str(data.get("name")): str(data.get("address"))},
        tuple(map(str, candidates)),
        lease_ms / 1000,
        witness if isinstance(witness, str) else None,
    )
    try:
        _ = side.electorate
    except ValueError:
        return None
    return side


def _is_up(row: JsonObject) -> bool:
    # HAProxy's word for a drained server whose checks pass is DRAIN; "UP 1/3" is going down.
    return str(row.get("status", "")).startswith(("UP", "DRAIN", "no check"))


def _drained_by(row: JsonObject) -> str | None:
    if row.get("drain") is not True:
        return None
    # What is not known to be ours is the user's, and stays.
    return BY_APPLY if row.get("drained_by") == BY_APPLY else BY_USER


def _positive(number: Json) -> float:
    return max(0.0, float(number)) if isinstance(number, (int, float)) else 0.0


def _sessions(row: JsonObject) -> int:
    sessions = row.get("sessions")
    return sessions if isinstance(sessions, int) else 0


def _object(data: Json) -> JsonObject:
    return data if isinstance(data, dict) else {}


def _objects(data: Json) -> Sequence[JsonObject]:
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []
