"""The database keeper's next step, tried on every state it can see: what must never be, never is."""

from collections.abc import Iterator
from itertools import product

import pytest

from stillup.keeper.next_step import APART_S, HUNG_S, QUIET_S, TOGETHER_S, next_step
from stillup.keeper.seen import AT_REST, PRIMARY, Heard, Phase, Position, Report, Seen
from stillup.keeper.steps import Await, Declare, Found, Join, Rest, Settle, Step, Stop, Withdraw

FARM, OTHER = "farm", "other"
LONG_S = max(APART_S, HUNG_S, QUIET_S, TOGETHER_S)


def reports() -> list[Report]:
    """Everything a keeper can say, with three commits as good as any number."""
    bare = [
        Report(phase)
        for phase in (Phase.UNREAD, Phase.HUNG, Phase.STOPPING, Phase.STARTING, Phase.BROKEN)
    ]
    known = [
        Report(phase, Position(FARM, seqno))
        for phase in (Phase.STOPPED, Phase.CUT_OFF, Phase.STARTING)
        for seqno in (1, 2)
    ]
    primary = [Report(phase, Position(FARM, 2)) for phase in (Phase.MEMBER, Phase.JOINING)]
    strange = [Report(phase, Position(OTHER, 9)) for phase in (Phase.STOPPED, Phase.STARTING)]
    born = [
        Report(phase, birth=birth)
        for phase in (Phase.EMPTY, Phase.PLAIN)
        for birth in (False, True)
    ]
    found = [
        Report(said.phase, said.position, founding=True)
        for said in known + born
        if said.phase is not Phase.CUT_OFF or said.position == Position(FARM, 2)
    ]
    forced = [
        Report(phase, Position(FARM, 1), forced=True)
        for phase in (Phase.STOPPED, Phase.STARTING, Phase.CUT_OFF)
    ]
    return bare + known + primary + strange + born + found + forced


def everything(peers: int) -> Iterator[Seen]:
    heard: list[Heard | None] = [None]
    for said in reports():
        heard.append(Heard(said))
        # With two others, one thing less: who runs is not asked whether it was asked since.
        if peers == 1 or said.phase in AT_REST:
            heard.append(Heard(said, since_declared=True))
    names = ["a", "c"][:peers]
    for me in reports():
        for others in product(heard, repeat=peers):
            for long, remembers in ((False, True), (True, False), (True, True)):
                for member in (None, FARM, OTHER) if me.phase is Phase.BROKEN else (None,):
                    yield Seen(
                        "b",
                        me,
                        dict(zip(names, others, strict=True)),
                        remembers_view=remembers,
                        quiet_s=LONG_S if long and _is_quiet(me, others) else 0.0,
                        phase_s=LONG_S if long else 0.0,
                        member=member,
                    )


def _is_quiet(me: Report, others: tuple[Heard | None, ...]) -> bool:
    return me.phase not in PRIMARY and all(
        said is not None and said.report.phase not in PRIMARY for said in others
    )


def holders(seen: Seen) -> list[Report]:
    return [said for said in seen.all.values() if said.position is not None]


def founds_alone(seen: Seen, step: Found) -> None:
    """Nobody else can be primary or become it, and nobody has newer data."""
    assert seen.me.founding, "nobody founds who has not declared it"
    for name, said in seen.peers.items():
        if said is None:
            assert seen.me.birth or seen.me.forced, f"{name} may be primary"
            continue
        assert said.since_declared, f"{name} may still have its saved view"
        assert said.report.phase in AT_REST, f"{name} may become primary"
        assert not said.report.founding, f"{name} founds too"
    assert seen.me.phase in AT_REST | {Phase.CUT_OFF}
    assert step.running == (seen.me.phase is Phase.CUT_OFF)
    if step.new_history:
        assert seen.me.forced
        assert not step.running, "a group that runs keeps its history's name"
    elif seen.me.position is None:
        assert seen.me.birth
        assert not holders(seen), "a birth where there are data of a cluster"
    else:
        assert {said.position.cluster for said in holders(seen) if said.position} == {FARM} or (
            len(holders(seen)) == 1
        )
        assert all(_seqno(said) <= _seqno(seen.me) for said in holders(seen)), "older data"
        assert Phase.BROKEN not in {said.phase for said in seen.all.values()}, "unknown data"


def _seqno(said: Report) -> int:
    return -1 if said.position is None else said.position.seqno


def joins_rightly(seen: Seen, step: Join) -> None:
    """There is somebody to join, and nothing is overwritten that nobody else has."""
    members = [said for said in seen.heard.values() if said.phase is Phase.MEMBER]
    assert members
    assert seen.me.phase in AT_REST - {Phase.PLAIN}
    assert seen.member in (None, FARM), "commits that were given up"
    if seen.me.position is not None:
        assert seen.me.position.cluster == FARM
        assert not step.afresh
        assert _seqno(seen.me) <= max(_seqno(said) for said in members)


def waits_rightly(seen: Seen) -> None:
    assert seen.me.phase is Phase.STOPPED
    assert seen.remembers_view
    assert not any(said.founding or said.phase in PRIMARY for said in seen.heard.values())


def check(seen: Seen, step: Step) -> None:
    match step:
        case Found():
            founds_alone(seen, step)
        case Join():
            joins_rightly(seen, step)
        case Await():
            waits_rightly(seen)
        case Stop():
            assert seen.me.phase in (Phase.STARTING, Phase.CUT_OFF, Phase.HUNG)
        case Declare():
            assert not seen.me.founding
            assert not any(said.founding for said in seen.heard.values())
        case Withdraw():
            assert seen.me.founding
        case Settle():
            assert seen.me.phase is Phase.MEMBER
        case Rest():
            at_peace = seen.me.phase is Phase.MEMBER
            assert (step.reason == "") == at_peace, "who waits says for what"
        case _:
            assert seen.me.phase is Phase.UNREAD


@pytest.mark.parametrize("peers", [1, 2])
def test_what_must_never_be_never_is(peers: int) -> None:
    steps: set[type[Step]] = set()
    count = 0
    for seen in everything(peers):
        step = next_step(seen)
        check(seen, step)
        steps.add(type(step))
        count += 1
    assert count > 3_000
    assert steps >= {Found, Join, Await, Stop, Declare, Withdraw, Rest}


def test_a_server_alone_founds_by_its_mark_or_a_person_and_else_as_the_newest() -> None:
    alone = Report(Phase.STOPPED, Position(FARM, 3), founding=True)
    assert next_step(Seen("b", alone)) == Found()


def test_who_waits_is_stopped_when_a_person_decides_for_its_data() -> None:
    waiting = Report(Phase.STARTING, Position(FARM, 1), forced=True)
    assert isinstance(next_step(Seen("b", waiting, {"a": None})), Stop)
    stopped = Report(Phase.STOPPED, Position(FARM, 1), forced=True, founding=True)
    assert next_step(Seen("b", stopped, {"a": None})) == Found(new_history=True)


def test_who_is_cut_off_is_stopped_first_when_a_person_decides_for_its_data() -> None:
    cut_off = Report(Phase.CUT_OFF, Position(FARM, 1), forced=True, founding=True)
    declared = {
        "a": None,
        "c": Heard(Report(Phase.STOPPED, Position(FARM, 1)), since_declared=True),
    }
    assert isinstance(next_step(Seen("b", cut_off, declared)), Stop)


def test_who_waits_for_its_group_is_stopped_before_another_history_overwrites_it() -> None:
    primary = Report(Phase.MEMBER, Position("new", 9), ancestors=(Position(FARM, 5),))
    for seqno, step in ((5, Rest), (6, Stop)):
        waiting = Report(Phase.STARTING, Position(FARM, seqno))
        assert isinstance(next_step(Seen("b", waiting, {"a": Heard(primary)})), step)


def test_data_that_cannot_be_read_are_overwritten_only_by_the_history_they_were_of() -> None:
    primary = Heard(Report(Phase.MEMBER, Position(FARM, 2)))
    broken = Report(Phase.BROKEN)
    assert next_step(Seen("b", broken, {"a": primary}, member=FARM)) == Join(
        "its data cannot be read; it receives a whole copy", afresh=True
    )
    for other in (OTHER, ""):
        assert isinstance(next_step(Seen("b", broken, {"a": primary}, member=other)), Rest)
    gone = next_step(Seen("b", broken, {"a": primary}))
    assert gone == Join("its data are gone; it receives a whole copy", afresh=True)
