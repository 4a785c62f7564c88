"""Being handed the address, as the taker: what it does about each message, in which order."""

import pytest
from tests.unit.heartbeat.test_core import (
    AWAKE_S,
    HOLD_S,
    LEASE_S,
    OTHERS,
    START_S,
    THEIRS,
    asking,
    healthy,
    hear,
    holding,
    to_all,
    wake,
)

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.core import Node, Settings
from stillup.heartbeat.events import (
    Arm,
    Changed,
    Forward,
    HealthChanged,
    Hold,
    LetGo,
    Send,
    TimerFired,
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
from stillup.heartbeat.quorum import Electorate


def fit(now_s: float = AWAKE_S) -> Node:
    """Return a candidate that could take the address and knows lb2 to hold it."""
    made = healthy()
    for voter in OTHERS:
        hear(made, voter, Hello(fit=False), now_s)
    hear(made, "lb2", Propose(THEIRS, 1), now_s)
    return made


def ready(made: Node, now_s: float) -> None:
    """Let it answer both offers of lb2, the first at ``now_s``."""
    assert asking(hear(made, "lb2", Offer(THEIRS, 1), now_s)) == [Send("lb2", Ready(THEIRS, 1, 11))]
    effects = hear(made, "lb2", Offer(THEIRS, 1, 11, 0.4), now_s + 0.001)
    assert asking(effects) == [
        Arm("lb2", now_s + 0.98 * 0.4),
        Send("lb2", Ready(THEIRS, 1, 11, armed=True)),
    ]


def test_what_is_handed_over_counts_from_the_first_answer() -> None:
    made = fit()
    ready(made, AWAKE_S)
    hear(made, "lb2", Offer(THEIRS, 1), AWAKE_S + 0.02)  # doubled: the first answer counts
    ballot = Ballot(6, 11, "lb1")
    effects = hear(made, "lb2", Handed(THEIRS, 1, 11, 0.45), AWAKE_S + 0.03)
    assert asking(effects) == [
        Forward(("lb2",)),
        Hold(AWAKE_S + 0.98 * 0.45, gained=True, ballot=ballot),
        *to_all(Propose(ballot, 1, taken_over=THEIRS)),
        Changed("lb1", ballot, "handed over by lb2"),
    ]


def taken() -> tuple[Node, float, Ballot]:
    made = fit()
    ready(made, AWAKE_S)
    now_s = AWAKE_S + 0.002
    hear(made, "lb2", Handed(THEIRS, 1, 11, 0.4), now_s)
    return made, now_s, Ballot(6, 11, "lb1")


def test_with_enough_votes_it_holds_by_votes_of_its_own() -> None:
    made, now_s, ballot = taken()
    hear(made, "web1", Accepted(ballot, 1), now_s)
    effects = hear(made, "web2", Accepted(ballot, 1), now_s)
    assert effects == [Hold(now_s + HOLD_S, gained=False, ballot=ballot)]


def test_without_votes_it_holds_no_longer_and_frees_them_all() -> None:
    made, _, ballot = taken()
    over_s = AWAKE_S + 0.98 * 0.4
    effects = asking(made.handle(TimerFired(), over_s))
    assert isinstance(effects[0], LetGo)
    assert effects[1 : 1 + 2 * len(OTHERS)] == [*to_all(Release(THEIRS)), *to_all(Release(ballot))]


def test_what_it_was_handed_once_it_does_not_take_again() -> None:
    made, now_s, _ = taken()
    made.handle(TimerFired(), AWAKE_S + 0.98 * 0.4)
    effects = hear(made, "lb2", Handed(THEIRS, 1, 11, 0.4), now_s)
    assert asking(effects) == []


@pytest.mark.parametrize(
    "handed",
    [
        Handed(THEIRS, 2, 11, 0.4),
        Handed(THEIRS, 1, 12, 0.4),
        Handed(Ballot(5, 23, "lb2"), 1, 11, 0.4),
    ],
    ids=["another offer", "another life of its own", "another life of the giver"],
)
def test_what_was_handed_to_somebody_else_is_not_taken(handed: Handed) -> None:
    made = fit()
    ready(made, AWAKE_S)
    assert asking(hear(made, "lb2", handed, AWAKE_S + 0.002)) == []


def test_who_did_not_answer_takes_nothing() -> None:
    assert asking(hear(fit(), "lb2", Handed(THEIRS, 1, 11, 0.4), AWAKE_S)) == []


def test_a_late_offer_changes_nothing_about_the_newest() -> None:
    made = fit()
    hear(made, "lb2", Offer(THEIRS, 2), AWAKE_S)
    assert asking(hear(made, "lb2", Offer(THEIRS, 1), AWAKE_S)) == []
    assert asking(hear(made, "lb2", Offer(THEIRS, 2), AWAKE_S)) == [
        Send("lb2", Ready(THEIRS, 2, 11))
    ]


def test_one_that_cannot_take_it_any_more_lets_go_of_it() -> None:
    made = fit()
    ready(made, AWAKE_S)
    made.handle(HealthChanged(healthy=False, reason="haproxy died"), AWAKE_S)
    effects = asking(hear(made, "lb2", Handed(THEIRS, 1, 11, 0.4), AWAKE_S + 0.002))
    assert effects[: 1 + len(OTHERS)] == [
        LetGo("it was handed over and could not be taken"),
        *to_all(Release(THEIRS)),
    ]


def test_what_comes_when_it_is_over_is_not_taken() -> None:
    made = fit()
    ready(made, AWAKE_S)
    effects = hear(made, "lb2", Handed(THEIRS, 1, 11, 0.4), AWAKE_S + 0.98 * 0.4)
    assert not any(isinstance(effect, Hold) for effect in effects)


@pytest.mark.parametrize("why", ["ill", "silent", "holds", "not the holder's"])
def test_who_could_not_hold_does_not_answer_an_offer(why: str) -> None:
    made, now_s, offer = fit(), AWAKE_S, Offer(THEIRS, 1)
    match why:
        case "ill":
            made.handle(HealthChanged(healthy=False, reason="haproxy died"), now_s)
        case "silent":
            made = healthy()
            now_s -= 0.01
        case "holds":
            made, now_s = holding()
        case _:
            offer = Offer(Ballot(5, 22, "lb1"), 1)
    effects = hear(made, "lb2", offer, now_s)
    assert not any(isinstance(e, Send) and isinstance(e.message, Ready) for e in effects)


def test_who_hears_too_few_voters_does_not_answer_an_offer() -> None:
    farm = Electorate(("lb1", "lb2", "lb3", "web1", "web2"), ("lb1", "lb2", "lb3"), LEASE_S)
    made = Node(Settings("lb1", farm), 11, START_S, lambda: 0.5)
    made.handle(HealthChanged(healthy=True, reason="haproxy answers"), START_S)
    assert asking(hear(made, "lb2", Offer(THEIRS, 1), AWAKE_S)) == []
    hear(made, "web1", Hello(fit=False), AWAKE_S)
    assert asking(hear(made, "lb2", Offer(THEIRS, 1), AWAKE_S)) == [
        Send("lb2", Ready(THEIRS, 1, 11))
    ]


def test_outbid_it_asks_anew_and_votes_still_pass() -> None:
    made, now_s, ballot = taken()
    newer = Ballot(9, 33, "lb2")
    hear(made, "web3", Refused(ballot, 1, Refusal.OUTBID, newer), now_s)
    _, effects = wake(made)
    anew = Ballot(10, 11, "lb1")
    assert effects == to_all(Prepare(anew, taken_over=THEIRS))
    hear(made, "web1", Promised(anew), now_s)
    effects = hear(made, "web2", Promised(anew), now_s)
    assert effects == to_all(Propose(anew, 1, taken_over=THEIRS))
