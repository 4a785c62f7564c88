"""The witness: contact, quiet time, and for what its answer counts."""

import pytest

from stillup.heartbeat.core import Node, Settings
from stillup.heartbeat.events import (
    AskWitness,
    DatagramReceived,
    Effect,
    HealthChanged,
    Hold,
    TimerFired,
    WitnessAnswered,
)
from stillup.heartbeat.messages import Hello
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.timing import Timing
from stillup.heartbeat.witness import Witness

ADDRESS = "10.0.0.254"
PAIR = Electorate(("lb1", "lb2"), ("lb1", "lb2"), 0.5, ADDRESS)


def start() -> Node:
    node = Node(Settings("lb1", PAIR), 7, 0.0, lambda: 0.5)
    node.handle(HealthChanged(healthy=True, reason="haproxy answers"), 0.0)
    return node


def live(node: Node, from_s: float, until_s: float, *, answered: bool = True) -> list[Effect]:
    """Let time pass: the witness answers, or does not, 1 ms after each ping; lb2 is silent."""
    effects: list[Effect] = []
    waiting: list[tuple[float, AskWitness]] = []
    now_s = from_s
    while now_s < until_s:
        due_s = node.next_timer_s()
        times = [at_s for at_s, _ in waiting[:1]] + ([due_s] if due_s is not None else [])
        now_s = max(now_s, min([*times, until_s]))
        if waiting and waiting[0][0] <= now_s:
            asked = waiting.pop(0)[1]
            new = node.handle(WitnessAnswered(asked.address, asked.number), now_s)
        else:
            new = node.handle(TimerFired(), now_s)
        if answered:
            waiting += [(now_s + 0.001, one) for one in new if isinstance(one, AskWitness)]
        effects += new
    return effects


def holds(effects: list[Effect]) -> bool:
    return any(isinstance(effect, Hold) for effect in effects)


def test_a_server_whose_peer_is_silent_holds_after_a_quiet_time() -> None:
    node = start()
    assert not holds(live(node, 0.0, 0.99))
    assert holds(live(node, 0.99, 1.25))
    assert node.status(1.25).votes == ("lb1", f"witness {ADDRESS}")


def test_without_its_answer_it_does_not_hold() -> None:
    assert not holds(live(start(), 0.0, 5.0, answered=False))


def test_it_does_not_begin_while_the_peer_is_heard() -> None:
    node = start()
    for number in range(1, 20):
        node.handle(DatagramReceived("lb2", Hello(fit=False)), number * 0.25)
        assert not holds(live(node, number * 0.25, (number + 1) * 0.25))


def test_who_holds_goes_on_though_the_peer_is_heard_again() -> None:
    node = start()
    live(node, 0.0, 1.5)
    node.handle(DatagramReceived("lb2", Hello(fit=False)), 1.5)
    live(node, 1.5, 4.0)
    assert node.status(4.0).holding


def test_it_lets_go_when_the_witness_answers_no_more() -> None:
    node = start()
    live(node, 0.0, 1.5)
    live(node, 1.5, 2.5, answered=False)
    assert not node.status(2.5).holding


def test_one_lost_ping_does_not_break_the_contact_and_two_do() -> None:
    witness = Witness(ADDRESS, Timing(0.5), quiet_since_s=0.0)
    for at_s in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        witness.on_answer(witness.ask(None, at_s), at_s)
    assert witness.may_begin(1.0)
    witness.on_answer(witness.ask(None, 1.3), 1.3)
    assert not witness.may_begin(1.3)


def test_an_answer_that_took_too_long_says_nothing() -> None:
    witness = Witness(ADDRESS, Timing(0.5), quiet_since_s=0.0)
    number = witness.ask(None, 0.0)
    witness.on_answer(number, 0.3)
    assert witness.contact_since_s is None


def test_a_witness_is_for_two_balancers_and_nothing_else() -> None:
    with pytest.raises(ValueError, match="for two voters that are both candidates"):
        Electorate(("lb1", "lb2", "web1"), ("lb1", "lb2"), 0.5, ADDRESS)
    with pytest.raises(ValueError, match="for two voters that are both candidates"):
        Electorate(("lb1", "web1"), ("lb1",), 0.5, ADDRESS)
