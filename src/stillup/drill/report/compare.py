"""A run beside an earlier one (pure): what is different, and whether that is better or worse.

Each drill was played once in each run, and no two runs of the same farm are alike. So a figure
counts as different only when it is further away than ``LEAST`` and ``SHARE`` say; what may not be
at all (a lost write, a lost session) always counts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from stillup.drill.report.run import Played, Run
from stillup.drill.report.summary import RANKS, failed, lost, seconds
from stillup.drill.verdict import Figures

SHARE = 0.25
"""A figure is different when it is further from the earlier than this share of the larger."""


class Way(StrEnum):
    """Which way something changed."""

    WORSE = "worse"
    BETTER = "better"
    NEW = "new"
    """Played in the later run only."""
    GONE = "gone"
    """Played in the earlier run only."""
    OTHER = "other"
    """Measured otherwise, so that figures compare less well."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    name: str
    """The drill's name, or what is different of the whole run."""
    way: Way
    text: str
    """From what to what."""


@dataclass(frozen=True, slots=True)
class _Measure:
    title: str
    of: Callable[[Figures], float | None]
    """Less is better; None is worse than any."""
    least: float
    """Differences up to here are not told."""
    shown: Callable[[float], str]


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _outage_of(kind: str) -> Callable[[Figures], float]:
    return lambda figures: figures.kinds[kind].outage.s if kind in figures.kinds else 0.0


_MEASURES = (
    _Measure("pages' outage", lambda figures: figures.outage.s, 0.1, seconds),
    _Measure("rows' outage", _outage_of("row"), 0.5, seconds),
    _Measure("files' outage", _outage_of("file"), 0.5, seconds),
    _Measure("failed requests", failed, 10, _count),
    _Measure("lost writes", lost, 0, _count),
    _Measure("lost sessions", lambda figures: figures.sessions_lost, 0, _count),
    _Measure("two holders", lambda figures: figures.both_s or 0.0, 0, seconds),
    _Measure("whole again after", lambda figures: figures.whole_after_s, 3, seconds),
)


def changes(earlier: Run, later: Run) -> tuple[Change, ...]:
    """Return what is different in the later run: first how it was measured, then worse, then better."""
    before = {played.name: played for played in earlier.played}
    now = {played.name: played for played in later.played}
    found = [
        change for name in now if name in before for change in _between(before[name], now[name])
    ]
    found += [_only(played, Way.NEW) for name, played in now.items() if name not in before]
    found += [_only(played, Way.GONE) for name, played in before.items() if name not in now]
    order = list(Way)
    return (
        *_measured_otherwise(earlier, later),
        *sorted(found, key=lambda change: order.index(change.way)),
    )


def _measured_otherwise(earlier: Run, later: Run) -> Iterator[Change]:
    for title, before, now in (
        ("farm", earlier.farm, later.farm),
        ("where", earlier.where, later.where),
        ("machine", earlier.machine, later.machine),
        ("servers", _servers(earlier), _servers(later)),
        ("promises", str(earlier.promises), str(later.promises)),
        ("requests a second", str(dict(earlier.rates)), str(dict(later.rates))),
    ):
        if before != now:
            yield Change(title, Way.OTHER, f"{before} -> {now}")


def _servers(run: Run) -> str:
    return ", ".join(f"{server.name} ({' '.join(server.roles)})" for server in run.servers)


def _between(before: Played, now: Played) -> Iterator[Change]:
    was, word = before.verdict.word, now.verdict.word
    if was != word:
        way = Way.WORSE if RANKS[word] < RANKS[was] else Way.BETTER
        yield Change(now.name, way, f"{was.value} -> {word.value}")
    for measure in _MEASURES:
        first = measure.of(before.verdict.figures)
        second = measure.of(now.verdict.figures)
        if way_of := _way(measure, first, second):
            yield Change(
                now.name,
                way_of,
                f"{measure.title} {_shown(measure, first)} -> {_shown(measure, second)}",
            )


def _way(measure: _Measure, first: float | None, second: float | None) -> Way | None:
    if first is None or second is None:
        if first is second:
            return None
        return Way.WORSE if second is None else Way.BETTER
    if abs(second - first) <= max(
        measure.least, SHARE * max(first, second) if measure.least else 0
    ):
        return None
    return Way.WORSE if second > first else Way.BETTER


def _shown(measure: _Measure, value: float | None) -> str:
    return "not in time" if value is None else measure.shown(value)


def _only(played: Played, way: Way) -> Change:
    figures = played.verdict.figures
    return Change(
        played.name, way, f"{played.verdict.word.value}, outage {seconds(figures.outage.s)}"
    )
