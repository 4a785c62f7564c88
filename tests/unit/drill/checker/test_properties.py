"""What holds of every history: properties of the measuring parts."""

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.drill.checker.histories import LB1, LB2, VIP

from stillup.drill.checker.figures import quantile
from stillup.drill.checker.holders import ASKED_EVERY_S, both, together_s
from stillup.drill.checker.outage import SHOWN_S, outages
from stillup.drill.checker.writes import written
from stillup.drill.history import Copies, Deed, Heard, History, Kind, Outcome
from stillup.drill.verdict import Span

TIMES = st.integers(0, 2000).map(lambda hundredths: hundredths / 100)


@st.composite
def a_deed(draw: st.DrawFn) -> Deed:
    due_s = draw(TIMES)
    ended_s = due_s + draw(st.integers(1, 500)) / 100
    outcome = draw(st.sampled_from([Outcome.DONE, Outcome.DONE, Outcome.DONE, Outcome.RESET]))
    return Deed(Kind.NEW, draw(st.integers(1, 30)), due_s, due_s, ended_s, outcome)


DEEDS = st.lists(a_deed(), max_size=40)


@given(DEEDS, TIMES)
def test_in_an_outage_nobody_is_answered_and_somebody_waits(
    deeds: list[Deed], from_s: float
) -> None:
    longest, shown = outages(deeds, from_s)
    done = [deed.ended_s for deed in deeds if deed.outcome is Outcome.DONE]
    for span in (longest, *shown) if longest.s else ():
        assert not any(span.from_s < ended_s < span.to_s for ended_s in done)
        assert any(deed.due_s <= span.from_s + 1e-9 for deed in deeds)
        # Whoever was due first, or waited already, was not answered before its end.
        waits = [
            d for d in deeds if d.due_s <= span.from_s + 1e-9 and d.ended_s > span.from_s - 1e-9
        ]
        assert waits
    assert all(span.s >= SHOWN_S for span in shown)
    assert longest.s < SHOWN_S or longest in shown
    assert all(earlier.to_s <= later.from_s for earlier, later in pairwise(shown))


@given(DEEDS, st.data())
def test_a_request_that_fails_where_it_was_done_makes_no_outage_shorter(
    deeds: list[Deed], data: st.DataObject
) -> None:
    if not deeds:
        return
    place = data.draw(st.integers(0, len(deeds) - 1))
    one = deeds[place]
    failed = Deed(one.kind, one.number, one.due_s, one.sent_s, one.ended_s, Outcome.TIMED_OUT)
    worse = [*deeds[:place], failed, *deeds[place + 1 :]]
    assert outages(worse, 0.0)[0].s >= outages(deeds, 0.0)[0].s - 1e-9


@given(st.floats(0.2, 5.0), st.floats(1.0, 10.0), st.integers(1, 200))
def test_a_halt_is_measured_from_the_first_request_it_held_up(
    halt_s: float, at_s: float, rate: int
) -> None:
    deeds = []
    for place in range(20 * rate):
        due_s = place / rate
        until_s = at_s + halt_s if at_s <= due_s < at_s + halt_s else due_s
        deeds.append(Deed(Kind.FILE, place, due_s, due_s, until_s + 0.001, Outcome.DONE))
    held = [deed for deed in deeds if deed.ended_s - deed.due_s > 0.002]
    expected_s = max((deed.ended_s - deed.due_s for deed in held), default=0.0)
    assert abs(outages(deeds, 0.0)[0].s - expected_s) <= 0.003 or expected_s < 0.003


@given(st.lists(st.floats(0.03, 3.0), min_size=1, max_size=20), st.randoms())
def test_whoever_holds_in_turn_never_holds_together(
    turns: list[float], luck: random.Random
) -> None:
    heard: list[Heard] = []
    now_s = 0.0
    for place, lasts_s in enumerate(turns):
        holder = (LB1, LB2)[place % 2]
        asked = range(int(lasts_s / ASKED_EVERY_S))
        heard += [Heard(now_s + each * ASKED_EVERY_S, VIP, holder) for each in asked]
        now_s += lasts_s
    luck.shuffle(heard)
    # A turn shorter than the pause that ends a tenure looks like both holding it: that is what
    # two that answer in turn look like, and no move is that fast and back again.
    if all(lasts_s > 0.2 for lasts_s in turns):
        assert both(heard, {}) == ()


@given(st.floats(0.05, 3.0), st.floats(0.0, 5.0), st.floats(0.001, 0.019))
def test_a_second_holder_is_measured_to_a_question(for_s: float, at_s: float, off_s: float) -> None:
    first = [Heard(place * ASKED_EVERY_S, VIP, LB1) for place in range(500)]
    asked = range(int(for_s / ASKED_EVERY_S) + 1)
    second = [Heard(at_s + off_s + place * ASKED_EVERY_S, VIP, LB2) for place in asked]
    found_s = together_s(both([*first, *second], {}))
    assert abs(found_s - (len(asked) - 1) * ASKED_EVERY_S) <= ASKED_EVERY_S + 1e-6
    assert together_s(both([*first, *second], {LB1: "lb1", LB2: "lb1"})) == 0.0


@given(st.lists(st.tuples(TIMES, TIMES), max_size=12))
def test_time_in_several_spans_counts_once(ends: list[tuple[float, float]]) -> None:
    spans = [Span(min(pair), max(pair)) for pair in ends]
    hundredths = {
        place for span in spans for place in range(round(span.from_s * 100), round(span.to_s * 100))
    }
    assert abs(together_s(spans) - len(hundredths) / 100) < 1e-6


NUMBERS = st.frozensets(st.integers(1, 40))


@given(DEEDS, NUMBERS, NUMBERS)
def test_every_number_that_was_asked_for_is_accounted_for(
    deeds: list[Deed], one: frozenset[int], other: frozenset[int]
) -> None:
    copies = (Copies("data1", Kind.NEW, one), Copies("data2", Kind.NEW, other))
    found = written(History("", 0.0, tuple(deeds), (), copies=copies), Kind.NEW)
    assert found is not None
    asked = {deed.number for deed in deeds}
    done = {deed.number for deed in deeds if deed.outcome is Outcome.DONE}
    assert found.gone == done - one - other
    assert set(found.lost.get("data1", ())) == done - one
    assert found.doubtful == len((one | other) & asked - done)
    assert bool(found.disagree) == (one & asked != other & asked)


@given(st.lists(st.floats(0, 100), min_size=1), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_a_value_that_so_many_do_not_exceed(
    values: list[float], share: float
) -> None:
    ordered = sorted(values)
    found = quantile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-9
