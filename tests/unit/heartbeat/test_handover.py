"""Handing over, as the giver: what it does about each message, in which order."""

import pytest
from tests.unit.heartbeat.test_core import (
    AWAKE_S,
    HOLD_S,
    LEASE_S,
    MINE,
    OTHERS,
    asking,
    healthy,
    hear,
    holding,
    to_all,
    wake,
)

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.core import Node
from stillup.heartbeat.events import (
    Changed,
    DrainEnded,
    Effect,
    Give,
    HealthChanged,
    LetGo,
    MoveAsked,
    NotGiven,
    Resumed,
    Send,
    Stopped,
    Stopping,
    TimerFired,
    YieldAsked,
)
from stillup.heartbeat.messages import (
    Accepted,
    Handed,
    Hello,
    Offer,
    Prepare,
    Promised,
    Propose,
    Ready,
    Refusal,
    Refused,
    Release,
)

LIFE = 99
"""The incarnation of lb2 in what it answers."""


def lasting(made: Node, now_s: float, leases: float) -> list[tuple[float, Offer]]:
    """Let it hold for so long while lb2 is fit; return its offers, and when they came."""
    offers: list[tuple[float, Offer]] = []
    end_s = now_s + leases * LEASE_S
    while now_s < end_s:
        now_s, effects = wake(made)
        hear(made, "lb2", Hello(fit=True), now_s)
        sent = [effect for effect in effects if isinstance(effect, Send)]
        offers += [(now_s, e.message) for e in sent if isinstance(e.message, Offer)]
        for send in sent:
            if isinstance(send.message, Prepare) and send.to in {"web1", "web2"}:
                hear(made, send.to, Promised(send.message.ballot), now_s)
        tally = made.candidate.tally
        if tally is not None and tally.attempt:
            for voter in ("web1", "web2"):
                hear(made, voter, Accepted(tally.ballot, tally.attempt), now_s)
    return offers


def asked(event: YieldAsked | MoveAsked | Stopping) -> tuple[Node, float, float]:
    """Return a holder that was asked at an instant, and when its lease is over."""
    made, at_s = holding()
    now_s = at_s + 0.01
    hear(made, "lb2", Hello(fit=True), now_s)
    assert asking(made.handle(event, now_s)) == [Send("lb2", Offer(MINE, 1))]
    return made, now_s, at_s + HOLD_S


def armed(made: Node, now_s: float, number: int = 1) -> list[Effect]:
    """Let lb2 answer both offers; the first answer is heard at ``now_s``, the second 1 ms later."""
    hear(made, "lb2", Ready(MINE, number, LIFE), now_s)
    return asking(hear(made, "lb2", Ready(MINE, number, LIFE, armed=True), now_s + 0.001))


def test_the_second_offer_says_what_was_left_when_the_answer_was_heard() -> None:
    made, now_s, until_s = asked(MoveAsked("lb2"))
    effects = hear(made, "lb2", Ready(MINE, 1, LIFE), now_s + 0.002)
    left_s = until_s - (now_s + 0.002)
    assert effects == [Send("lb2", Offer(MINE, 1, LIFE, left_s))]


def test_the_giver_lets_go_before_it_says_so() -> None:
    made, now_s, until_s = asked(MoveAsked("lb2"))
    effects = armed(made, now_s)
    assert effects == [
        Give("lb2", until_s, "asked to move"),
        Send("lb2", Handed(MINE, 1, LIFE, until_s - now_s, stay=True)),
    ]
    status = made.status(now_s + 0.001)
    assert (status.holding, status.move.draining) == (False, True)


def test_a_yield_hands_over_and_lasts() -> None:
    made, now_s, until_s = asked(YieldAsked(30.0))
    assert armed(made, now_s) == [
        Give("lb2", until_s, "asked to yield"),
        Send("lb2", Handed(MINE, 1, LIFE, until_s - now_s)),
    ]
    assert made.status(now_s).yielding_s == pytest.approx(30.0)
    assert made.handle(Resumed(), now_s) == to_all(Hello(fit=True, draining=True))


def test_a_stopping_daemon_hands_over_and_stops() -> None:
    made, now_s, _ = asked(Stopping())
    effects = armed(made, now_s)
    assert [type(effect) for effect in effects] == [Give, Send, Stopped]
    assert made.status(now_s).phase == "stopped"


def test_a_stopping_daemon_that_is_not_answered_lets_go() -> None:
    made, now_s, _ = asked(Stopping())
    effects = made.handle(TimerFired(), now_s + 0.05)
    assert NotGiven("lb2", "lb2 did not answer") in effects
    assert LetGo("the daemon stops") in effects
    assert Send("web1", Release(MINE, "lb2")) in effects


def test_who_does_not_answer_is_asked_again_and_then_no_more() -> None:
    made, now_s, _ = asked(YieldAsked(30.0))
    at_s, effects = wake(made)
    assert at_s == pytest.approx(now_s + 0.01)
    assert effects == [Send("lb2", Offer(MINE, 1))]
    effects = made.handle(TimerFired(), now_s + 0.0501)
    assert asking(effects)[-1] == NotGiven("lb2", "lb2 did not answer")
    assert made.status(now_s + 0.0501).holding


def test_after_two_leases_it_is_asked_again() -> None:
    made, now_s, _ = asked(YieldAsked(30.0))
    offers = lasting(made, now_s, 4)
    again = [at_s for at_s, offer in offers if offer.number == 2]
    assert again[0] == pytest.approx(now_s + 0.05 + 2 * LEASE_S, abs=LEASE_S / 5)


@pytest.mark.parametrize(
    ("sender", "ready"),
    [
        ("lb2", Ready(MINE, 2, LIFE, armed=True)),
        ("lb2", Ready(Ballot(1, 12, "lb1"), 1, LIFE, armed=True)),
        ("lb2", Ready(MINE, 1, LIFE + 1, armed=True)),
        ("web1", Ready(MINE, 1, LIFE, armed=True)),
    ],
    ids=["another offer", "another life of the giver", "another life of the taker", "another"],
)
def test_an_answer_to_something_else_moves_nothing(sender: str, ready: Ready) -> None:
    made, now_s, _ = asked(MoveAsked("lb2"))
    hear(made, "lb2", Ready(MINE, 1, LIFE), now_s)
    assert hear(made, sender, ready, now_s) == []
    assert made.status(now_s).holding


def test_a_late_answer_to_a_withdrawn_offer_moves_nothing() -> None:
    made, now_s, _ = asked(YieldAsked(30.0))
    hear(made, "lb2", Ready(MINE, 1, LIFE), now_s)
    assert NotGiven("lb2", "it is not wished any more") in made.handle(Resumed(), now_s)
    assert hear(made, "lb2", Ready(MINE, 1, LIFE, armed=True), now_s) == []
    assert made.status(now_s).holding


def test_a_taker_that_restarts_meanwhile_is_asked_as_if_for_the_first_time() -> None:
    made, now_s, until_s = asked(MoveAsked("lb2"))
    hear(made, "lb2", Ready(MINE, 1, LIFE), now_s)
    effects = hear(made, "lb2", Ready(MINE, 1, LIFE + 1), now_s + 0.004)
    assert effects == [Send("lb2", Offer(MINE, 1, LIFE + 1, until_s - (now_s + 0.004)))]


def test_a_taker_that_falls_ill_is_not_given_anything() -> None:
    made, now_s, _ = asked(MoveAsked("lb2"))
    effects = hear(made, "lb2", Hello(fit=False), now_s)
    assert effects == [NotGiven("lb2", "lb2 is not fit any more")]


def test_nothing_that_was_on_its_way_brings_the_hold_back() -> None:
    made, at_s = holding()
    hear(made, "lb2", Hello(fit=True), at_s)
    renew_s, _ = wake(made)
    made.handle(MoveAsked("lb2"), renew_s)
    armed(made, renew_s)
    for voter in OTHERS:
        effects = hear(made, voter, Accepted(MINE, 2), renew_s + 0.002)
        assert asking(effects) == []
    assert not made.status(renew_s + 0.002).holding


def test_the_giver_says_it_again_until_its_own_vote_is_the_takers() -> None:
    made, now_s, until_s = asked(MoveAsked("lb2"))
    armed(made, now_s)
    handed = Send("lb2", Handed(MINE, 1, LIFE, until_s - now_s, stay=True))
    at_s, effects = wake(made)
    assert at_s == pytest.approx(now_s + 0.011)
    assert effects == [handed]
    taking = Propose(Ballot(2, LIFE, "lb2"), 1, taken_over=MINE)
    effects = hear(made, "lb2", taking, at_s)
    assert Send("lb2", Accepted(taking.ballot, 1)) in effects
    assert Changed("lb2", taking.ballot, "it has this server's vote") in effects
    for _ in range(10):
        at_s = made.next_timer_s() or 0.0
        assert handed not in made.handle(TimerFired(), at_s)


def test_the_giver_does_not_ask_again_before_what_it_gave_is_over() -> None:
    made, now_s, until_s = asked(MoveAsked("lb2"))
    armed(made, now_s)
    while True:
        at_s, effects = wake(made)
        if any(isinstance(e, Send) and isinstance(e.message, Prepare) for e in effects):
            break
    assert at_s >= until_s
    assert at_s == pytest.approx(until_s + 0.02 * LEASE_S, abs=0.05)


def test_its_own_voter_refuses_it_what_it_gave_away() -> None:
    made, now_s, _ = asked(MoveAsked("lb2"))
    armed(made, now_s)
    refused = made.voter.on_propose(Propose(Ballot(9, 11, "lb1"), 1), now_s)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.HELD


def test_a_taker_that_lets_go_gives_the_giver_its_vote_back() -> None:
    made, now_s, _ = asked(MoveAsked("lb2"))
    armed(made, now_s)
    hear(made, "lb2", Release(MINE), now_s + 0.002)
    assert made.voter.given(now_s + 0.002) is None


def test_a_move_nobody_can_take_is_refused_with_a_reason() -> None:
    made, at_s = holding()
    assert NotGiven("lb2", "lb2 is not fit") in made.handle(MoveAsked("lb2"), at_s)
    assert NotGiven(None, "no other candidate is fit") in made.handle(MoveAsked(), at_s)
    assert healthy().handle(MoveAsked(), AWAKE_S)[0] == NotGiven(None, "it is not held here")


def test_a_sick_holder_does_not_wait_for_an_answer() -> None:
    made, now_s, _ = asked(YieldAsked(30.0))
    effects = asking(made.handle(HealthChanged(healthy=False, reason="haproxy died"), now_s))
    assert effects[:2] == [
        NotGiven("lb2", "this server is not healthy"),
        LetGo("haproxy died"),
    ]


def test_drained_it_says_so() -> None:
    made, now_s, _ = asked(MoveAsked("lb2"))
    armed(made, now_s)
    assert made.handle(DrainEnded(), now_s) == to_all(Hello(fit=True))
