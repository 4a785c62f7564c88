"""From a history to the timeline of its drill (pure)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import ceil
from statistics import median_low

from stillup.drill.checker.holders import stretches
from stillup.drill.history import Deed, Heard, History, Kind, Look, Outcome
from stillup.drill.report.run import Asked, Holding, Played, Standing, Timeline
from stillup.drill.verdict import Span, Verdict

BINS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""How long a bin may be. The first is a tenth of what a farm promises by default: an outage of a
second is ten bins wide."""
MOST_BINS = 1500
"""More than a chart has pixels; what takes minutes (a rolling apply) gets longer bins."""
SILENCE_S = 0.2
"""An address that nobody answered for in so long was nobody's meanwhile: ten questions of the listener."""
GROUPS = {
    "pages": frozenset({Kind.NEW, Kind.KEPT}),
    "sessions": frozenset({Kind.SESSION}),
    "rows": frozenset({Kind.ROW}),
    "files": frozenset({Kind.FILE}),
}
"""What stands together in a chart: sessions are kept in the database, plain pages need a web server
and nothing else. A download is one long request and has no rate."""


def played(history: History, verdict: Verdict) -> Played:
    """Return one drill as the report tells it."""
    return Played(
        name=verdict.fault.name,
        planned=verdict.fault.planned,
        began=history.began,
        lasted_s=history.lasted_s,
        verdict=verdict,
        timeline=timeline(history),
        notes=history.notes,
    )


def timeline(history: History) -> Timeline:
    """Return a history in bins, the shortest of ``BINS_S`` of which there are not too many.

    What is over after the history's end (a last answer that was waited for) counts in the last bin.
    """
    bin_s = next((s for s in BINS_S if history.lasted_s / s <= MOST_BINS), BINS_S[-1])
    count = max(1, ceil(history.lasted_s / bin_s))
    groups = {
        name: _asked([deed for deed in history.deeds if deed.kind in kinds], count, bin_s)
        for name, kinds in GROUPS.items()
    }
    return Timeline(
        bin_s=bin_s,
        groups={name: asked for name, asked in groups.items() if any(asked.due)},
        heard=None if history.heard is None else _heard(history.heard, dict(history.names)),
        said=_said(history.looks, history.lasted_s),
        standings=tuple(_standings(history.looks)),
        moments=history.moments,
        deaf=tuple(Span(from_s, to_s) for from_s, to_s in history.deaf_s),
    )


def _asked(deeds: Sequence[Deed], count: int, bin_s: float) -> Asked:
    def bin_of(at_s: float) -> int:
        # A whole number of bins is often a hair less as a float: 0.3 / 0.1.
        return min(count - 1, max(0, int(at_s / bin_s + 1e-9)))

    def counted(bins: Iterable[int]) -> tuple[int, ...]:
        counts = Counter(bins)
        return tuple(counts[number] for number in range(count))

    done = [deed for deed in deeds if deed.outcome is Outcome.DONE]
    waits: list[list[float]] = [[] for _ in range(count)]
    for deed in done:
        waits[bin_of(deed.due_s)].append(deed.ended_s - deed.due_s)
    failures = {deed.outcome for deed in deeds} - {Outcome.DONE}
    return Asked(
        due=counted(bin_of(deed.due_s) for deed in deeds),
        done=counted(bin_of(deed.ended_s) for deed in done),
        failed={
            outcome.value: counted(bin_of(deed.due_s) for deed in deeds if deed.outcome is outcome)
            for outcome in Outcome
            if outcome in failures
        },
        median_s=tuple(median_low(took) if took else None for took in waits),
        slowest_s=tuple(max(took, default=None) for took in waits),
    )


def _heard(heard: Sequence[Heard], names: dict[str, str]) -> tuple[Holding, ...]:
    """Join the answers of one server for one address that are less than ``SILENCE_S`` apart."""
    times: dict[tuple[str, str], list[float]] = {}
    for answer in heard:
        holder = names.get(answer.hardware, answer.hardware)
        times.setdefault((answer.address, holder), []).append(answer.at_s)
    return tuple(
        Holding(address, server, span.from_s, span.to_s)
        for (address, server), at_s in times.items()
        for span in stretches(at_s, SILENCE_S)
    )


def _said(looks: Sequence[Look], end_s: float) -> tuple[Holding, ...]:
    """Return who said it holds each address: from one look until the first that says otherwise."""
    found: list[Holding] = []
    open_since: dict[str, tuple[str, float]] = {}
    for look in looks:
        for address, server in look.holders:
            before, since_s = open_since.get(address, ("", look.at_s))
            if before == server and address in open_since:
                continue
            if before:
                found.append(Holding(address, before, since_s, look.at_s))
            open_since[address] = (server, look.at_s)
    found += [
        Holding(address, server, since_s, end_s)
        for address, (server, since_s) in open_since.items()
        if server
    ]
    return tuple(sorted(found, key=lambda holding: (holding.address, holding.from_s)))


def _standings(looks: Sequence[Look]) -> Iterator[Standing]:
    before: Standing | None = None
    for look in looks:
        now = Standing(look.at_s, look.level, look.whole, look.why)
        if before is None or (now.level, now.whole, now.why) != (
            before.level,
            before.whole,
            before.why,
        ):
            yield now
            before = now
