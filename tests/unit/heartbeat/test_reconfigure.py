"""A node that goes on under another electorate: what it keeps, and what it does not count."""

from dataclasses import replace

import pytest

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.core import Node, Settings
from stillup.heartbeat.events import (
    DatagramReceived,
    Effect,
    HealthChanged,
    Hold,
    LetGo,
    Send,
    TimerFired,
)
from stillup.heartbeat.membership import stages
from stillup.heartbeat.messages import Accepted, Promised, Propose
from stillup.heartbeat.quorum import Electorate

FARM = Electorate(("lb1", "lb2", "web1"), ("lb1", "lb2"), 0.5)


def holder() -> tuple[Node, float]:
    """Return lb1, which holds by the votes of all, and the instant."""
    node = Node(Settings("lb1", FARM), 7, 0.0, lambda: 0.5)
    effects = node.handle(HealthChanged(healthy=True, reason="haproxy answers"), 0.0)
    now_s = 0.0
    while not any(isinstance(effect, Hold) for effect in effects):
        now_s = max(node.next_timer_s() or 0.0, now_s)
        effects = answered(node, node.handle(TimerFired(), now_s), now_s)
    return node, now_s


def answered(node: Node, effects: list[Effect], now_s: float) -> list[Effect]:
    """Let lb2 and web1 say yes to whatever they are asked, until nothing is asked."""
    done: list[Effect] = []
    while effects:
        effect = effects.pop(0)
        done.append(effect)
        if isinstance(effect, Send):
            answer = _yes(effect)
            if answer is not None:
                effects += node.handle(DatagramReceived(effect.to, answer), now_s)
    return done


def _yes(asked: Send) -> Promised | Accepted | None:
    message = asked.message
    if isinstance(message, Propose):
        return Accepted(message.ballot, message.attempt)
    ballot = getattr(message, "ballot", None)
    return Promised(ballot) if type(message).__name__ == "Prepare" and ballot else None


def test_what_is_held_stays_held_and_is_asked_for_anew_at_once() -> None:
    node, now_s = holder()
    until_s = node.candidate.held_until_s
    joint = stages(FARM, replace(FARM, lease_s=0.2))[0].electorate

    effects = node.reconfigure(Settings("lb1", joint), now_s + 0.01)

    assert node.candidate.held_until_s == until_s
    assert not any(isinstance(effect, LetGo) for effect in effects)
    assert [e.to for e in effects if isinstance(e, Send) and isinstance(e.message, Propose)] == [
        "lb2",
        "web1",
    ]


def test_votes_for_what_was_asked_before_count_no_more() -> None:
    node, now_s = holder()
    asked = node.handle(TimerFired(), now_s + 0.13)
    before = [e.message for e in asked if isinstance(e, Send) and isinstance(e.message, Propose)]
    longer = Settings("lb1", stages(FARM, replace(FARM, lease_s=2.0))[2].electorate)
    node.reconfigure(longer, now_s + 0.14)
    held_until_s = node.candidate.held_until_s

    for name in ("lb2", "web1"):
        vote = Accepted(before[0].ballot, before[0].attempt)
        node.handle(DatagramReceived(name, vote), now_s + 0.15)

    assert node.candidate.held_until_s == held_until_s


def test_while_joint_a_vote_is_lent_for_the_longer_lease_and_counted_on_for_the_shorter() -> None:
    node, now_s = holder()
    joint = stages(FARM, replace(FARM, lease_s=2.0))[0].electorate
    effects = answered(node, node.reconfigure(Settings("lb1", joint), now_s + 0.2), now_s + 0.2)

    assert [e.until_s for e in effects if isinstance(e, Hold)] == [
        pytest.approx(now_s + 0.2 + 0.98 * 0.5)
    ]
    given = node.voter.given(now_s + 0.2)
    assert given is not None
    assert given.until_s == pytest.approx(now_s + 0.2 + 2.0)


def test_what_was_lent_for_longer_stays_lent_when_the_lease_is_made_shorter() -> None:
    node = Node(Settings("web1", FARM), 7, 0.0, lambda: 0.5)
    ballot = Ballot(1, 9, "lb1")
    node.handle(DatagramReceived("lb1", Propose(ballot, 1)), 1.0)
    node.reconfigure(Settings("web1", replace(FARM, lease_s=0.15)), 1.1)

    node.handle(DatagramReceived("lb1", Propose(ballot, 2)), 1.1)

    given = node.voter.given(1.2)
    assert given is not None
    assert given.until_s == 1.5


def test_a_balancer_that_is_to_be_none_lets_go_to_one_that_stays() -> None:
    node, now_s = holder()
    joint = stages(FARM, Electorate(("lb2", "web1"), ("lb2",), 0.5))[0].electorate

    effects = node.reconfigure(Settings("lb1", joint), now_s + 0.01)

    assert LetGo("no balancer any more") in effects
    assert node.status(now_s + 0.01).phase == "voter"


def test_a_voter_that_becomes_a_balancer_stands() -> None:
    old = Electorate(("lb1", "lb2", "web1"), ("lb1",), 0.5)
    node = Node(Settings("lb2", old), 7, 0.0, lambda: 0.5)
    node.reconfigure(Settings("lb2", FARM), 1.0)
    node.handle(HealthChanged(healthy=True, reason="haproxy answers"), 1.0)
    assert node.status(1.0).phase != "voter"
    due_s = node.next_timer_s()
    assert due_s is not None
    assert due_s < 1.1
