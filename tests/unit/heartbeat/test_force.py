"""Declaring servers dead: when it is refused, what counts then, when it ends."""

from collections.abc import Iterable

import pytest

from stillup.heartbeat.core import Node, Settings
from stillup.heartbeat.events import (
    DatagramReceived,
    DeclaredDead,
    Effect,
    HealthChanged,
    Hold,
    LetGo,
    TimerFired,
)
from stillup.heartbeat.force import refusal, risks
from stillup.heartbeat.messages import Hello
from stillup.heartbeat.quorum import Electorate

FARM = Electorate(("lb1", "lb2", "web1", "web2", "web3"), ("lb1", "lb2"), 0.5)
LONG = dict.fromkeys(FARM.voters, 60.0)
QUIET_S = 1.0


def alone() -> Node:
    """Return lb1, healthy, of a farm that has been silent since it started at 0."""
    node = Node(Settings("lb1", FARM), 7, 0.0, lambda: 0.5)
    node.handle(HealthChanged(healthy=True, reason="haproxy answers"), 0.0)
    return node


def pass_time(node: Node, from_s: float, until_s: float) -> list[Effect]:
    """Fire the node's timers; nobody answers."""
    effects: list[Effect] = []
    while (due_s := node.next_timer_s()) is not None and due_s <= until_s:
        effects += node.handle(TimerFired(), max(due_s, from_s))
    return effects


def held(effects: Iterable[Effect]) -> bool:
    return any(isinstance(effect, Hold) for effect in effects)


@pytest.mark.parametrize(
    ("name", "dead", "silent", "told"),
    [
        ("web1", {"lb2"}, {}, "web1 is no balancer, so it cannot hold the address"),
        ("lb1", {"lb9"}, {}, "lb9 is no server of this farm; they are lb1, lb2, web1, web2, web3"),
        ("lb1", {"lb1"}, {}, "lb1 is the server that shall hold; name those that are dead"),
        (
            "lb1",
            {"lb2"},
            {"lb2": 0.2},
            "lb2 was heard 0.2 s ago, so it is not dead; switch it off, or leave it out",
        ),
        (
            "lb1",
            {"lb2"},
            {"web1": 0.1, "web2": 0.1},
            "enough servers vote without force; nothing has to be forced",
        ),
        (
            "lb1",
            {"web1"},
            {},
            "the others are not enough either: lb2, web2, web3 are silent too; if dead, name them "
            "as well",
        ),
    ],
)
def test_it_is_refused_in_words(
    name: str, dead: set[str], silent: dict[str, float], told: str
) -> None:
    assert refusal(FARM, name, dead, {**LONG, **silent}, QUIET_S) == told


def test_what_is_risked_names_the_server_the_address_and_the_dead() -> None:
    told = risks("lb1", {"web1", "lb2"}, "10.0.0.1")
    assert told[0] == (
        "lb1 will hold 10.0.0.1 without the votes of lb2 and web1, which you declare dead."
    )
    assert "two servers may answer" in told[1]


def test_a_balancer_that_lost_everybody_holds_by_force_alone() -> None:
    node = alone()
    assert not held(pass_time(node, 0.0, 5.0))

    node.handle(DeclaredDead(frozenset({"lb2", "web1", "web2", "web3"})), 5.0)

    assert held(pass_time(node, 5.0, 5.1))
    assert node.status(5.1).dead == ("lb2", "web1", "web2", "web3")


def test_it_does_not_begin_while_one_of_them_may_hold_yet() -> None:
    node = alone()
    pass_time(node, 0.0, 0.6)
    node.handle(DeclaredDead(frozenset({"lb2", "web1", "web2", "web3"})), 0.6)
    assert node.status(0.6).dead == ()
    assert not held(pass_time(node, 0.6, 2.0))


def test_a_voter_that_comes_back_counts_again_and_the_rest_stay_dead() -> None:
    node = alone()
    pass_time(node, 0.0, 5.0)
    node.handle(DeclaredDead(frozenset({"lb2", "web1", "web2", "web3"})), 5.0)
    pass_time(node, 5.0, 5.2)

    effects = node.handle(DatagramReceived("web1", Hello(fit=False)), 5.2)

    assert not any(isinstance(effect, LetGo) for effect in effects)
    assert node.status(5.2).dead == ("lb2", "web2", "web3")


def test_a_balancer_that_comes_back_ends_it_at_once() -> None:
    node = alone()
    pass_time(node, 0.0, 5.0)
    node.handle(DeclaredDead(frozenset({"lb2", "web1", "web2", "web3"})), 5.0)
    pass_time(node, 5.0, 5.2)

    effects = node.handle(DatagramReceived("lb2", Hello(fit=False)), 5.2)

    assert effects[0] == LetGo("a server that was declared dead lives")


def test_it_is_taken_back_by_declaring_nobody_dead() -> None:
    node = alone()
    pass_time(node, 0.0, 5.0)
    node.handle(DeclaredDead(frozenset({"lb2", "web1", "web2", "web3"})), 5.0)
    pass_time(node, 5.0, 5.2)

    effects = node.handle(DeclaredDead(frozenset()), 5.2)

    assert effects[0] == LetGo("a server that was declared dead lives")
    assert node.status(5.2).dead == ()
