"""Stretches of time in which nothing was done, though something was asked for (pure).

An outage ends when a user has an answer, and begins when the first request after the answer before
it was due, as whoever asked in between waited. So ten files a second are no outage of 100 ms between
each two of them, and one request that hangs while others are answered makes none.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from stillup.drill.history import Deed, Outcome
from stillup.drill.verdict import Span

SHOWN_S = 0.1
"""Outages from here on are listed one by one."""
NONE = Span(0.0, 0.0)


def outages(deeds: Sequence[Deed], from_s: float) -> tuple[Span, tuple[Span, ...]]:
    """Return the longest outage and all of ``SHOWN_S`` or more, in order of time.

    Nothing is said of the time after the last request was due: what is waited for then may be
    that request alone.

    Args:
        deeds: Those of one kind; in any order.
        from_s: Outages that ended before are passed over.
    """
    due = sorted(deed.due_s for deed in deeds)
    longest, shown = NONE, []
    # The longest gaps first: when what is left is shorter than what was found, no look is needed.
    for earlier_s, later_s in sorted(_gaps(deeds, from_s), key=lambda gap: gap[0] - gap[1]):
        gap_s = later_s - earlier_s
        if gap_s < SHOWN_S and gap_s <= longest.s:
            break
        place = bisect_left(due, earlier_s)
        span = Span(min(due[place], later_s) if place < len(due) else later_s, later_s)
        if span.s > longest.s:
            longest = span
        if span.s >= SHOWN_S:
            shown.append(span)
    return longest, tuple(sorted(shown, key=lambda span: span.from_s))


def _gaps(deeds: Iterable[Deed], from_s: float) -> Iterator[tuple[float, float]]:
    """Yield each two answers after each other, of which the later came after ``from_s``."""
    done = sorted(deed.ended_s for deed in deeds if deed.outcome is Outcome.DONE)
    last_due_s = max((deed.due_s for deed in deeds), default=from_s)
    first_due_s = min((deed.due_s for deed in deeds), default=from_s)
    before = [first_due_s, *done[: bisect_right(done, from_s)]][-1]
    after = [time_s for time_s in done[bisect_right(done, from_s) :] if time_s < last_due_s]
    return pairwise([before, *after, max(before, last_due_s)])
