"""A farm of database servers whose keepers and engines may die at any moment, and whose words come late.

Galera is played by its rules: servers that hold on to the same last primary view are primary if they
are more than half of it and one of them has run ever since, or if they are all of it. A commit is
acknowledged once it is on the writer's disk and every member of the view has received it; what
a member has received may be gone after its death. The keepers play the real ``next_step``.
"""

import random
from dataclasses import dataclass, field

from stillup.keeper.next_step import next_step
from stillup.keeper.seen import Heard, Phase, Position, Report, Seen
from stillup.keeper.steps import Await, Declare, Found, Join, Read, Settle, Step, Stop, Withdraw

RUNNING = frozenset({Phase.STARTING, Phase.CUT_OFF, Phase.MEMBER})
LONG_S = 100.0


@dataclass(eq=False)
class Node:
    """One server.

    Args:
        view: The last primary view it knows, None if it has not been in one since its start.
        saved: The view on its disk. ``settled``: the keeper has seen that all before it is there too.
        restored: Whether it knows its view from the disk alone.
        seqno: How far it has received; ``durable``: how far that survives its death.
    """

    name: str
    holds_data: bool = True
    phase: Phase = Phase.STOPPED
    alive: bool = True
    view: int | None = None
    saved: int | None = None
    settled: int | None = None
    restored: bool = False
    seqno: int = 0
    durable: int = 0
    founding: bool = False
    heard: dict[str, tuple[Report, bool] | None] = field(default_factory=dict)

    @property
    def report(self) -> Report:
        known = self.phase in RUNNING | {Phase.STOPPED}
        position = Position("farm", self.seqno) if known else None
        return Report(self.phase, position, founding=self.founding)


class World:
    """All of it; ``chance`` decides what happens."""

    def __init__(self, chance: random.Random, *, data: int, arbiter: bool) -> None:
        self.chance = chance
        self.data = [Node(name) for name in ("a", "b", "c")[:data]]
        self.arbiters = [Node("g", holds_data=False)] if arbiter else []
        self.all = [*self.data, *self.arbiters]
        self.views: list[frozenset[str]] = []
        self.cuts: set[frozenset[str]] = set()
        self.acknowledged = 0
        self._new_view(self.all)

    # What befalls the servers.

    def power_off(self, node: Node) -> None:
        node.alive = False
        node.heard.clear()
        self.crash(node)

    def power_on(self, node: Node) -> None:
        node.alive = True
        if not node.holds_data and node.phase not in RUNNING:
            # garbd starts by itself, with its saved view.
            node.phase, node.view, node.restored = Phase.STARTING, node.saved, True

    def crash(self, node: Node) -> None:
        node.seqno = self.chance.choice((node.durable, node.seqno))
        node.durable = node.seqno
        node.view, node.phase = None, Phase.UNREAD
        if node.alive:
            self.power_on(node)

    def leave(self, node: Node) -> None:
        """An orderly stop, as by a person; the last one with data does not say goodbye."""
        others = [n for n in self._group(node) if n is not node]
        if not self._commits(node) or not any(n.holds_data for n in others):
            self.crash(node)
            return
        node.durable = node.seqno
        node.view, node.saved, node.phase = None, None, Phase.UNREAD
        self._new_view(others)

    def keeper_dies(self, node: Node) -> None:
        node.heard.clear()

    # What the keepers do.

    def hear(self, node: Node, other: Node) -> None:
        """One question and its answer."""
        if not self._linked(node, other):
            node.heard[other.name] = None
            return
        if node.founding and other.phase not in RUNNING:
            other.saved = None
        node.heard[other.name] = (other.report, node.founding)

    def step(self, node: Node) -> None:
        heard = {n.name: node.heard.get(n.name) for n in self.data if n is not node}
        quiet = all(
            said is not None and said[0].phase is not Phase.MEMBER for said in heard.values()
        )
        if node.phase is Phase.MEMBER and node.durable == node.seqno:
            node.settled = node.view
        quiet = quiet and node.phase is not Phase.MEMBER
        long = self.chance.random() < 0.5
        seen = Seen(
            node.name,
            node.report,
            {name: None if said is None else Heard(*said) for name, said in heard.items()},
            remembers_view=node.saved is not None and node.saved == node.settled,
            quiet_s=LONG_S if quiet and long else 0.0,
            phase_s=LONG_S if long else 0.0,
        )
        self._do(node, next_step(seen))

    def _do(self, node: Node, step: Step) -> None:
        match step:
            case Read():
                node.phase = Phase.STOPPED
            case Join():
                node.saved = node.view = None
                node.phase = Phase.STARTING
            case Await():
                node.view, node.restored, node.phase = node.saved, True, Phase.STARTING
            case Stop():
                self.crash(node)
            case Declare():
                node.founding = True
                node.heard = {n: s and (s[0], False) for n, s in node.heard.items()}
            case Withdraw() | Settle():
                node.founding = False
            case Found():
                assert not self._can_commit_without(node), "two primary components"
                self._new_view([node])
            case _:
                pass

    # What Galera does.

    def galera(self) -> None:
        """One component of the network looks at itself."""
        node = self.chance.choice(self.all)
        if node.alive and self.chance.random() < 0.1:
            node.durable = node.seqno
        if not node.alive or node.phase not in RUNNING:
            return
        group = [n for n in self._near(node) if n.phase in RUNNING]
        known = [n for n in group if n.view is not None]
        newest = max((n.view for n in known if n.view is not None), default=None)
        holders = [n for n in known if n.view == newest]
        if newest is not None and self._may_be_primary(holders, newest):
            if {n.name for n in group} != self.views[newest] or any(
                n.phase is not Phase.MEMBER for n in group
            ):
                self._new_view(group)
            return
        for lost in group:
            if lost.phase is Phase.MEMBER:
                lost.phase = Phase.CUT_OFF

    def _may_be_primary(self, holders: list[Node], view: int) -> bool:
        here = {n.name for n in holders} & self.views[view]
        if here == self.views[view]:
            return any(n.holds_data for n in holders)
        return 2 * len(here) > len(self.views[view]) and any(
            n.holds_data and not n.restored for n in holders
        )

    def write(self) -> None:
        """The writer of some component commits, and acknowledges."""
        node = self.chance.choice(self.data)
        group = self._group(node)
        if not self._commits(node):
            return
        assert node.seqno >= self.acknowledged, "an acknowledged commit is lost"
        for member in group:
            member.seqno = node.seqno + 1 if member is not node else member.seqno
        node.seqno += 1
        node.durable = self.acknowledged = node.seqno

    def _new_view(self, group: list[Node]) -> None:
        self.views.append(frozenset(n.name for n in group))
        best = max((n.seqno for n in group if n.holds_data), default=0)
        assert best >= self.acknowledged, "a primary component without an acknowledged commit"
        for node in group:
            node.phase, node.restored = Phase.MEMBER, False
            # What it lacked it is given, and that is on the disk before it counts as a member.
            node.durable = max(node.durable, best if node.seqno < best else node.durable)
            node.seqno = best
            node.view = node.saved = len(self.views) - 1

    # What is so.

    def whole(self) -> bool:
        return all(n.phase is Phase.MEMBER and n.view == self.all[0].view for n in self.all)

    def _group(self, node: Node) -> list[Node]:
        """Who is in the node's primary view, as it knows it."""
        if node.view is None:
            return []
        return [n for n in self.all if n.name in self.views[node.view]]

    def _commits(self, node: Node) -> bool:
        """Whether all of its view are there, so that a commit goes through."""
        group = self._group(node)
        return (
            node.alive
            and node.phase is Phase.MEMBER
            and all(
                n.view == node.view and n.phase is Phase.MEMBER and self._linked(node, n)
                for n in group
            )
        )

    def _can_commit_without(self, node: Node) -> bool:
        return any(self._commits(n) for n in self.data if n is not node)

    def _near(self, node: Node) -> list[Node]:
        return [n for n in self.all if n is node or self._linked(node, n)]

    def _linked(self, one: Node, other: Node) -> bool:
        if one is other:
            return one.alive
        return one.alive and other.alive and frozenset({one.name, other.name}) not in self.cuts
