"""Counts and measures of one drill (pure); what is good and what is not is for the rulings."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil

from stillup.drill.checker import holders, sessions
from stillup.drill.checker.outage import NONE, outages
from stillup.drill.checker.writes import Written
from stillup.drill.history import Deed, History, Kind, Mark, Outcome
from stillup.drill.verdict import Figures, KindFigures

PAGES = (Kind.NEW, Kind.KEPT)
"""The pages that need a web server and nothing else. Sessions are kept in the database."""
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}


def begun_s(history: History) -> float:
    """Return when the fault began to begin; 0 where there was none."""
    return history.at(Mark.FAULT) or 0.0


def figures(history: History, written: Sequence[Written]) -> Figures:
    """Return all figures of one drill."""
    from_s = begun_s(history)
    of: dict[Kind, list[Deed]] = {}
    for deed in history.deeds:
        of.setdefault(deed.kind, []).append(deed)
    kinds = {str(kind): _kind(kind, deeds, from_s) for kind, deeds in of.items()}
    pages = [kinds[kind].outage for kind in PAGES if kind in kinds]
    return Figures(
        kinds=kinds,
        outage=max(pages, key=lambda span: span.s, default=NONE),
        lost={f"{one.kind} at {name}": gone for one in written for name, gone in one.lost.items()},
        doubtful={str(one.kind): one.doubtful for one in written},
        disagree=tuple(one.disagree for one in written if one.disagree),
        sessions_lost=sessions.lost(history.deeds),
        both_s=_both_s(history),
        whole_after_s=_whole_after_s(history),
        late_s=_late_s(history.deeds),
    )


def felt(deeds: Sequence[Deed], from_s: float) -> list[Deed]:
    """Return the requests that were under way at a time or came after it."""
    return [deed for deed in deeds if deed.ended_s > from_s or deed.due_s >= from_s]


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of some values do not exceed; 0 for no values."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _kind(kind: Kind, deeds: list[Deed], from_s: float) -> KindFigures:
    since = felt(deeds, from_s)
    # A download is one request for minutes: that none ends is no outage.
    longest, shown = (NONE, ()) if kind is Kind.DOWNLOAD else outages(deeds, from_s)
    took = sorted(deed.ended_s - deed.due_s for deed in since if deed.outcome is Outcome.DONE)
    return KindFigures(
        asked=len(since),
        failed=failures(since),
        outage=longest,
        outages=shown,
        latency_s={name: quantile(took, share) for name, share in QUANTILES.items()},
    )


def failures(deeds: Sequence[Deed]) -> Mapping[str, int]:
    """Return how many were not done, by outcome, the most frequent first."""
    counts = Counter(str(deed.outcome) for deed in deeds if deed.outcome is not Outcome.DONE)
    return dict(counts.most_common())


def _both_s(history: History) -> float | None:
    if history.heard is None:
        return None
    return holders.together_s(holders.both(history.heard, dict(history.names)))


def _whole_after_s(history: History) -> float | None:
    whole_s = history.at(Mark.WHOLE)
    undone_s = history.at(Mark.UNDONE)
    if whole_s is None:
        return None
    return max(0.0, whole_s - (begun_s(history) if undone_s is None else undone_s))


def _late_s(deeds: Sequence[Deed]) -> Mapping[str, float]:
    late = sorted(deed.sent_s - deed.due_s for deed in deeds)
    return {"p99": quantile(late, 0.99), "max": quantile(late, 1.0)}
