"""Nodes with one part replaced, for ``mutants.py``."""

from collections.abc import Callable
from dataclasses import replace

from stillup.heartbeat.candidate import Candidate
from stillup.heartbeat.core import Node, Settings
from stillup.heartbeat.handover import Giving, Taking
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.simulator.world import Build
from stillup.heartbeat.voter import Voter

Luck = Callable[[], float]


def with_voter(kind: type[Voter]) -> Build:
    """Build a node with another voter."""

    def build(settings: Settings, incarnation: int, now_s: float, luck: Luck) -> Node:
        node = Node(settings, incarnation, now_s, luck)
        node.voter = kind(node.voter.lease_s, node.voter.silent_until_s)
        node.join()
        return node

    return build


def with_candidate(kind: type[Candidate]) -> Build:
    """Build a node with another candidate."""

    def build(settings: Settings, incarnation: int, now_s: float, luck: Luck) -> Node:
        node = Node(settings, incarnation, now_s, luck)
        right = node.candidate
        node.candidate = kind(right.owner, right.electorate, right.timing, luck)
        node.candidate.phase = right.phase
        node.join()
        return node

    return build


def with_electorate(kind: type[Electorate]) -> Build:
    """Build a node with another idea of what is enough."""

    def build(settings: Settings, incarnation: int, now_s: float, luck: Luck) -> Node:
        right = settings.electorate
        wrong = kind(right.voters, right.candidates, right.lease_s)
        return Node(replace(settings, electorate=wrong), incarnation, now_s, luck)

    return build


def with_giving(kind: type[Giving]) -> Build:
    """Build a node with another way to give."""

    def build(settings: Settings, incarnation: int, now_s: float, luck: Luck) -> Node:
        node = Node(settings, incarnation, now_s, luck)
        node.moving.giving = kind(node.candidate, node.voter)
        return node

    return build


def with_taking(kind: type[Taking]) -> Build:
    """Build a node with another way to take."""

    def build(settings: Settings, incarnation: int, now_s: float, luck: Luck) -> Node:
        node = Node(settings, incarnation, now_s, luck)
        node.moving.taking = kind(node.candidate)
        return node

    return build
