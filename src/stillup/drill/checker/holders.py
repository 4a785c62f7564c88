"""For how long two servers answered for one address, as heard on the wire (pure).

The listener asks every few milliseconds, so a server that holds an address is heard again and
again. Between the first and the last of such answers, none of them far from the next, it held the
address; when these *tenures* of two servers overlap both did. In a move, however fast, the last
answer of the one comes before the first of the other.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from stillup.drill.history import Heard
from stillup.drill.verdict import Span

SILENT_S = 0.1
"""Who is not heard for so long no longer held it: five questions in a row without an answer."""
ASKED_EVERY_S = 0.02
"""What a single answer in the middle of another's tenure counts."""


def both(heard: Iterable[Heard], names: Mapping[str, str]) -> tuple[Span, ...]:
    """Return when two servers answered for the same address, in order of time.

    Args:
        heard: In any order.
        names: Whose an Ethernet address is; one that is nobody's stands for itself.
    """
    found: list[Span] = []
    for _, answers in groupby(sorted(heard, key=lambda one: one.address), lambda one: one.address):
        of_whom: dict[str, list[float]] = {}
        for one in answers:
            of_whom.setdefault(names.get(one.hardware, one.hardware), []).append(one.at_s)
        tenures = [
            (span, who) for who, at_s in of_whom.items() for span in stretches(at_s, SILENT_S)
        ]
        found += _overlaps(sorted(tenures, key=lambda tenure: tenure[0].from_s))
    return tuple(sorted(found, key=lambda span: span.from_s))


def stretches(times_s: Iterable[float], apart_s: float) -> Iterator[Span]:
    """Join times that are no more than ``apart_s`` from the next; there must be one at least."""
    first_s, *more_s = sorted(times_s)
    last_s = first_s
    for time_s in more_s:
        if time_s - last_s > apart_s:
            yield Span(first_s, last_s)
            first_s = time_s
        last_s = time_s
    yield Span(first_s, last_s)


def _overlaps(tenures: list[tuple[Span, str]]) -> Iterator[Span]:
    """Yield where a tenure overlaps that of another server which reaches furthest so far."""
    for place, (span, who) in enumerate(tenures):
        for earlier, whose in reversed(tenures[:place]):
            if whose != who and span.from_s < earlier.to_s:
                to_s = min(span.to_s, earlier.to_s)
                yield Span(span.from_s, max(to_s, span.from_s + ASKED_EVERY_S))
                break


def together_s(spans: Iterable[Span]) -> float:
    """Return how long spans last together, in seconds; time that is in several counts once."""
    total_s, reached_s = 0.0, float("-inf")
    for span in sorted(spans, key=lambda one: one.from_s):
        total_s += max(0.0, span.to_s - max(span.from_s, reached_s))
        reached_s = max(reached_s, span.to_s)
    return total_s
