"""One node: what it does about each event, in which order, and when it wants to be woken."""

import pytest

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.core import Node, Settings
from stillup.heartbeat.events import (
    Changed,
    DatagramReceived,
    Effect,
    HealthChanged,
    Hold,
    LetGo,
    Send,
    Stopped,
    Stopping,
    TimerFired,
)
from stillup.heartbeat.messages import (
    Accepted,
    Hello,
    Message,
    Prepare,
    Promised,
    Propose,
    Refusal,
    Refused,
    Release,
)
from stillup.heartbeat.quorum import Electorate

LEASE_S = 0.5
FARM = Electorate(("lb1", "lb2", "web1", "web2", "web3"), ("lb1", "lb2"), LEASE_S)
START_S = 100.0
AWAKE_S = START_S + LEASE_S
OTHERS = ("lb2", "web1", "web2", "web3")
MINE = Ballot(1, 11, "lb1")
THEIRS = Ballot(5, 22, "lb2")
HOLD_S = LEASE_S * (1 - 0.02)


def node(name: str = "lb1", preferred: str | None = None, silence_s: float | None = None) -> Node:
    return Node(Settings(name, FARM, preferred, silence_s), 11, START_S, lambda: 0.5)


def healthy(name: str = "lb1") -> Node:
    made = node(name)
    made.handle(HealthChanged(healthy=True, reason="haproxy answers"), START_S)
    made.handle(TimerFired(), START_S)
    return made


def hear(made: Node, sender: str, message: Message, now_s: float) -> list[Effect]:
    return made.handle(DatagramReceived(sender, message), now_s)


def to_all(message: Message, *names: str) -> list[Effect]:
    return [Send(name, message) for name in names or OTHERS]


def asking(effects: list[Effect]) -> list[Effect]:
    """Return the effects but the greetings."""
    return [e for e in effects if not (isinstance(e, Send) and isinstance(e.message, Hello))]


def wake(made: Node) -> tuple[float, list[Effect]]:
    """Let time pass until the node does more than greet; return when, and what it does."""
    for _ in range(100):
        at_s = made.next_timer_s()
        assert at_s is not None
        done = asking(made.handle(TimerFired(), at_s))
        if done:
            return at_s, done
    raise AssertionError("it does nothing but greet")


def proposing() -> tuple[Node, float]:
    """Return a node that has just proposed its first ballot, and when it did."""
    made = healthy()
    at_s, _ = wake(made)
    hear(made, "web1", Promised(MINE), at_s)
    hear(made, "web2", Promised(MINE), at_s)
    return made, at_s


def holding() -> tuple[Node, float]:
    """Return a node that holds, and when it began to ask."""
    made, at_s = proposing()
    hear(made, "web1", Accepted(MINE, 1), at_s + 0.001)
    hear(made, "web2", Accepted(MINE, 1), at_s + 0.001)
    assert made.status(at_s + 0.001).holding
    return made, at_s


# -- getting it --------------------------------------------------------------------------------


def test_a_stranger_cannot_be_a_node() -> None:
    with pytest.raises(ValueError, match="web9 is not among the voters"):
        node("web9")


def test_it_asks_nobody_before_its_own_silence_is_over() -> None:
    at_s, effects = wake(healthy())
    assert at_s == pytest.approx(AWAKE_S + 0.001)
    assert effects == to_all(Prepare(MINE))


def test_the_silence_may_be_longer_than_the_lease_but_not_shorter() -> None:
    assert node(silence_s=2.0).status(START_S).silent_s == 2.0
    assert node(silence_s=0.1).status(START_S).silent_s == LEASE_S


def test_with_enough_promises_it_proposes_to_all() -> None:
    made = healthy()
    at_s, _ = wake(made)
    assert hear(made, "web1", Promised(MINE), at_s) == []
    assert hear(made, "web2", Promised(MINE), at_s) == to_all(Propose(MINE, 1))


def test_with_enough_votes_it_holds_from_when_it_began_to_ask() -> None:
    made, at_s = proposing()
    assert hear(made, "web1", Accepted(MINE, 1), at_s + 0.1) == []
    assert hear(made, "web2", Accepted(MINE, 1), at_s + 0.1) == [
        Hold(at_s + HOLD_S, gained=True, ballot=MINE),
        Changed("lb1", MINE, "it has enough votes"),
    ]


def test_the_votes_of_all_balancers_are_enough() -> None:
    made = healthy()
    at_s, _ = wake(made)
    assert hear(made, "lb2", Promised(MINE), at_s) == to_all(Propose(MINE, 1))
    assert isinstance(hear(made, "lb2", Accepted(MINE, 1), at_s)[0], Hold)


def test_votes_that_come_when_the_lease_is_over_give_nothing() -> None:
    made, at_s = proposing()
    hear(made, "web1", Accepted(MINE, 1), at_s)
    assert hear(made, "web2", Accepted(MINE, 1), at_s + HOLD_S) == []
    assert not made.status(at_s + HOLD_S).holding


def test_the_same_vote_twice_is_one() -> None:
    made, at_s = proposing()
    hear(made, "web1", Accepted(MINE, 1), at_s)
    assert hear(made, "web1", Accepted(MINE, 1), at_s) == []


@pytest.mark.parametrize(
    "vote", [Accepted(Ballot(1, 12, "lb1"), 1), Accepted(THEIRS, 1), Accepted(MINE, 2)]
)
def test_votes_for_another_ballot_or_attempt_count_for_nothing(vote: Accepted) -> None:
    made, at_s = proposing()
    for voter in OTHERS:
        assert hear(made, voter, vote, at_s) == []


def test_what_is_not_answered_is_asked_again_of_those_who_did_not_answer() -> None:
    made, _ = proposing()
    at_s = made.next_timer_s()
    assert at_s is not None
    hear(made, "web1", Accepted(MINE, 1), at_s)
    again = asking(made.handle(TimerFired(), at_s))
    assert again == to_all(Propose(MINE, 1), "lb2", "web2", "web3")


def test_an_outbid_candidate_takes_a_newer_ballot() -> None:
    made = healthy()
    at_s, _ = wake(made)
    hear(made, "web1", Refused(MINE, 0, Refusal.OUTBID, THEIRS), at_s)
    _, effects = wake(made)
    assert effects == to_all(Prepare(Ballot(6, 11, "lb1")))


def test_a_candidate_outbid_while_proposing_frees_the_votes_it_got() -> None:
    made, at_s = proposing()
    hear(made, "lb2", Refused(MINE, 1, Refusal.HELD, THEIRS, 0.4, "lb2"), at_s)
    hear(made, "web1", Refused(MINE, 1, Refusal.OUTBID, THEIRS), at_s)
    released = hear(made, "web2", Refused(MINE, 1, Refusal.OUTBID, THEIRS), at_s)
    assert released == to_all(Release(MINE))


# -- keeping it --------------------------------------------------------------------------------


def test_it_renews_four_times_a_lease() -> None:
    made, at_s = holding()
    renew_s, effects = wake(made)
    assert renew_s == pytest.approx(at_s + LEASE_S / 4)
    assert effects == to_all(Propose(MINE, 2))


def test_a_renewal_lengthens_the_hold_without_gaining_it_anew() -> None:
    made, _ = holding()
    renew_s, _ = wake(made)
    hear(made, "web3", Accepted(MINE, 2), renew_s)
    effects = hear(made, "lb2", Accepted(MINE, 2), renew_s)
    assert effects == [Hold(renew_s + HOLD_S, gained=False, ballot=MINE)]


def test_late_votes_for_an_earlier_renewal_lengthen_it_only_that_far() -> None:
    made, _ = holding()
    second_s, _ = wake(made)
    while True:
        at_s, effects = wake(made)
        if Send("web1", Propose(MINE, 3)) in effects:
            break
    hear(made, "web1", Accepted(MINE, 2), at_s)
    effects = hear(made, "web2", Accepted(MINE, 2), at_s)
    assert effects == [Hold(second_s + HOLD_S, gained=False, ballot=MINE)]


def test_without_votes_it_lets_go_before_it_tells_anybody() -> None:
    made, at_s = holding()
    while True:
        now_s, effects = wake(made)
        if LetGo("the lease ran out before enough voters renewed it") in effects:
            break
    assert now_s == pytest.approx(at_s + HOLD_S)
    assert effects == [
        LetGo("the lease ran out before enough voters renewed it"),
        *to_all(Release(MINE)),
        Changed(None, None, "its lease ran out"),
    ]


def test_after_a_freeze_it_holds_nothing_whatever_happens_first() -> None:
    made, at_s = holding()
    later_s = at_s + 10
    effects = hear(made, "web1", Accepted(MINE, 1), later_s)
    assert isinstance(effects[0], LetGo)
    assert not any(isinstance(effect, Hold) for effect in effects)
    assert not made.status(later_s).holding


def test_an_outbid_holder_asks_anew_and_holds_on_meanwhile() -> None:
    made, at_s = holding()
    newer = Ballot(6, 11, "lb1")
    hear(made, "web3", Refused(MINE, 1, Refusal.OUTBID, THEIRS), at_s + 0.002)
    renew_s, effects = wake(made)
    assert effects == to_all(Prepare(newer))
    assert made.status(renew_s).holding
    hear(made, "web1", Promised(newer), renew_s)
    assert hear(made, "web2", Promised(newer), renew_s) == to_all(Propose(newer, 1))
    hear(made, "web1", Accepted(newer, 1), renew_s)
    effects = hear(made, "web2", Accepted(newer, 1), renew_s)
    assert effects == [Hold(renew_s + HOLD_S, gained=False, ballot=newer)]


# -- letting go --------------------------------------------------------------------------------


def test_a_sick_holder_lets_go_to_a_fit_peer() -> None:
    made, at_s = holding()
    hear(made, "lb2", Hello(fit=True), at_s)
    effects = asking(made.handle(HealthChanged(healthy=False, reason="haproxy died"), at_s))
    assert effects == [
        LetGo("haproxy died"),
        *to_all(Release(MINE, "lb2")),
        Changed(None, None, "let go"),
    ]


def test_a_sick_holder_keeps_it_while_nobody_is_fit() -> None:
    made, at_s = holding()
    hear(made, "lb2", Hello(fit=False), at_s)
    assert not asking(made.handle(HealthChanged(healthy=False, reason="haproxy died"), at_s))
    assert made.status(at_s).holding
    effects = hear(made, "lb2", Hello(fit=True), at_s)
    assert effects[0] == LetGo("haproxy died")


def test_a_peer_that_was_not_heard_for_long_is_not_handed_anything() -> None:
    made, at_s = holding()
    hear(made, "lb2", Hello(fit=True), at_s)
    for number in range(2, 10):
        at_s, _ = wake(made)
        hear(made, "web1", Accepted(MINE, number), at_s)
        hear(made, "web2", Accepted(MINE, number), at_s)
    made.handle(HealthChanged(healthy=False, reason="haproxy died"), at_s)
    assert made.status(at_s).holding


def test_a_stopping_daemon_releases_at_once_when_nobody_is_fit_and_never_stands_again() -> None:
    made, at_s = holding()
    hear(made, "lb2", Hello(fit=False), at_s)
    effects = made.handle(Stopping(), at_s)
    assert effects[: 2 + len(OTHERS)] == [
        LetGo("the daemon stops"),
        *to_all(Release(MINE)),
        Stopped(),
    ]
    assert Send("lb2", Hello(fit=False)) in effects
    for _ in range(20):
        due_s = made.next_timer_s()
        assert due_s is not None
        told = asking(made.handle(TimerFired(), due_s))
        assert all(isinstance(e, Send) and isinstance(e.message, Release) for e in told)


def test_a_daemon_that_stops_at_once_releases_to_a_fit_peer() -> None:
    made, at_s = holding()
    hear(made, "lb2", Hello(fit=True), at_s)
    effects = made.handle(Stopping(at_once=True), at_s)
    assert effects[: 2 + len(OTHERS)] == [
        LetGo("the daemon stops"),
        *to_all(Release(MINE, "lb2")),
        Stopped(),
    ]
    assert Send("lb2", Hello(fit=False)) in effects
    assert made.status(at_s).phase == "stopped"


def test_a_server_that_only_votes_stops_at_once() -> None:
    assert node("web1").handle(Stopping(), START_S) == [Stopped()]


def test_the_named_heir_asks_at_once_and_relays_the_release() -> None:
    made = healthy()
    hear(made, "lb2", Propose(THEIRS, 1), AWAKE_S)
    hear(made, "lb2", Release(THEIRS, "lb1"), AWAKE_S + 0.1)
    at_s, effects = wake(made)
    assert at_s == AWAKE_S + 0.1
    assert effects == to_all(Prepare(Ballot(6, 11, "lb1"), released=THEIRS))


# -- voting ------------------------------------------------------------------------------------


def test_a_voter_answers_and_tells_who_holds() -> None:
    made = node("web1")
    assert hear(made, "lb2", Propose(THEIRS, 1), AWAKE_S) == [
        Send("lb2", Accepted(THEIRS, 1)),
        Changed("lb2", THEIRS, "it has this server's vote"),
    ]
    assert made.next_timer_s() == AWAKE_S + LEASE_S
    assert made.handle(TimerFired(), AWAKE_S + LEASE_S) == [
        Changed(None, None, "its lease ran out")
    ]
    assert made.next_timer_s() is None


def test_a_voter_answers_a_greeting_and_a_candidate_does_not() -> None:
    assert hear(node("web1"), "lb2", Hello(fit=True), AWAKE_S) == [Send("lb2", Hello(fit=False))]
    assert hear(healthy(), "lb2", Hello(fit=True), START_S) == []


def test_a_candidate_whose_vote_is_given_does_not_stand() -> None:
    made = healthy()
    hear(made, "lb2", Propose(THEIRS, 1), AWAKE_S)
    at_s = AWAKE_S
    for attempt in range(2, 20):
        at_s += LEASE_S / 5
        made.handle(TimerFired(), at_s)
        answer = hear(made, "lb2", Propose(THEIRS, attempt), at_s)
        assert answer == [Send("lb2", Accepted(THEIRS, attempt))]
    stands_s, effects = wake(made)
    while not any(isinstance(e, Send) and isinstance(e.message, Prepare) for e in effects):
        stands_s, effects = wake(made)
    assert stands_s == pytest.approx(at_s + LEASE_S + 0.001)


@pytest.mark.parametrize(
    ("sender", "message"),
    [
        ("web9", Propose(Ballot(1, 9, "web9"), 1)),
        ("web2", Propose(Ballot(1, 9, "web2"), 1)),
        ("lb2", Propose(MINE, 1)),
        ("web2", Prepare(THEIRS)),
        ("web2", Release(THEIRS)),
        ("lb1", Propose(MINE, 1)),
    ],
    ids=["stranger", "no candidate", "another's ballot", "prepare", "release", "oneself"],
)
def test_who_may_not_ask_is_not_answered(sender: str, message: Message) -> None:
    made = healthy()
    assert asking(hear(made, sender, message, AWAKE_S)) == []
    assert made.voter.given(AWAKE_S) is None


def test_the_status_says_what_the_node_knows() -> None:
    made, at_s = holding()
    status = made.status(at_s + 0.1)
    assert status.holder == "lb1"
    assert status.ballot == MINE
    assert status.left_s == pytest.approx(HOLD_S - 0.1)
    assert status.votes == ("lb1", "web1", "web2")
    assert status.phase == "proposing"
    assert (status.healthy, status.reason) == (True, "haproxy answers")
    assert status.heard_s == {"web1": pytest.approx(0.099), "web2": pytest.approx(0.099)}
    assert node("web1").status(START_S).phase == "voter"
