"""The rulings on what users felt: how long, how many (pure).

Each returns one ruling, or None where a promise does not apply. The lateness of the workload
itself makes all of them unknown: it may have been the machine that stood still.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from stillup.drill.checker import bounds
from stillup.drill.checker.bounds import Bound, bound
from stillup.drill.checker.case import Case
from stillup.drill.checker.figures import PAGES, failures, felt
from stillup.drill.checker.outage import SHOWN_S, outages
from stillup.drill.fault import Action
from stillup.drill.history import Deed, Kind, Mark, Outcome
from stillup.drill.verdict import Ruling, Span, Word
from stillup.model.farm import Role
from stillup.model.problems import joined

_TIMED = (Kind.NEW, Kind.KEPT, Kind.SESSION, Kind.ROW, Kind.FILE)
_PLURAL = {
    Kind.NEW: "pages on new connections",
    Kind.KEPT: "pages on open connections",
    Kind.SESSION: "pages of sessions",
    Kind.ROW: "rows",
    Kind.FILE: "files",
    Kind.DOWNLOAD: "downloads",
}
_DEAD = frozenset({Action.POWER_OFF, Action.KILL, Action.HANG, Action.CUT})
"""While these last a server does nothing at all, so that the others can tell. One that reboots may be back
within seconds, and a database that is joined holds its writers up for a moment."""
_SILENT = frozenset({Action.POWER_OFF, Action.KILL, Action.CUT, Action.REBOOT})
"""After these the kernel of a web server says so or is silent: nothing is retried after a hang."""


def outage(case: Case) -> Ruling | None:
    """Rule on the longest time in which nothing of a kind was done."""
    if case.fault.action is Action.NONE:
        return None
    found = [(kind, span) for kind, span in _outages(case) if span.s > 0]
    said = [_of_bound(case, kind, span) for kind, span in found]
    over = [text for (kind, span), text in zip(found, said, strict=True) if _over(case, kind, span)]
    longest = case.figures.outage
    if not case.expected.survives:
        told = f"need not hold, as {case.expected.why}; without a page for {seconds(longest.s)}"
        return Ruling("outage", Word.KEPT, told, held=False)
    if case.late:
        return Ruling("outage", Word.UNKNOWN, case.late)
    if over:
        return Ruling("outage", Word.BROKEN, joined(over))
    slow = [
        text
        for (kind, span), text in zip(found, said, strict=True)
        if kind not in PAGES and span.s >= SHOWN_S
    ]
    most = bound(Kind.NEW, case.fault, case.promises, case.farm)
    told = f"without a page for {seconds(longest.s)} at most ({seconds(most.most_s)} {most.by})"
    several = len(case.fault.servers) > 1 or bool(case.fault.others)
    must = [f"must be survived, as {case.expected.why}"] if several else []
    return Ruling("outage", Word.KEPT, "; ".join([*must, told, *slow]))


def _outages(case: Case) -> Iterator[tuple[Kind, Span]]:
    for kind in _TIMED:
        if kind in case.figures.kinds:
            yield kind, case.figures.kinds[kind].outage


def _over(case: Case, kind: Kind, span: Span) -> bool:
    return span.s > _bound(case, kind).most_s


def _bound(case: Case, kind: Kind) -> Bound:
    return bound(kind, case.fault, case.promises, case.farm)


def _of_bound(case: Case, kind: Kind, span: Span) -> str:
    most = _bound(case, kind)
    told = f"no {_PLURAL[kind]} for {seconds(span.s)} ({seconds(most.most_s)} {most.by})"
    return told if span.s <= most.most_s else f"{told}, from {span.from_s:.2f} s on"


def planned_failures(case: Case) -> Ruling | None:
    """Rule on what failed in a planned change; 409, too: what is not written now is written never."""
    if not case.fault.planned:
        return None
    failed = felt(case.history.deeds, case.from_s)
    count = sum(deed.outcome is not Outcome.DONE for deed in failed)
    most = case.promises.planned_failures
    told = f"{count} of {len(failed)} requests failed{in_brackets(failed)} ({most} promised)"
    if count <= most:
        return Ruling("planned-failures", Word.KEPT, told)
    word = Word.UNKNOWN if case.late else Word.BROKEN
    return Ruling("planned-failures", word, f"{told}; {case.late}" if case.late else told)


def settled(case: Case) -> Ruling | None:
    """Rule on whether the fault is over for all users while it lasts.

    That half of them are served is no outage, and yet half of them are not: a balancer that goes
    on asking a dead server is seen here.
    """
    begun_s = case.history.at(Mark.FAULT_BEGUN)
    if case.fault.action not in _DEAD or begun_s is None or not case.expected.survives:
        return None
    from_s, to_s = begun_s + bounds.SETTLED_S, min(begun_s + case.fault.lasts_s, _undone_s(case))
    then = [d for d in case.history.deeds if d.kind in _TIMED and from_s <= d.due_s < to_s]
    if to_s - from_s < 1.0 or not then:
        return None
    slow_s = case.promises.outage_s / bounds.STEADY_SHARE
    slow = sum(d.outcome is not Outcome.DONE or d.ended_s - d.due_s > slow_s for d in then)
    share = slow / len(then)
    told = (
        f"{share:.1%} of {len(then)} requests failed or took more than {seconds(slow_s)} from "
        f"{bounds.SETTLED_S:g} s after the fault had begun until it was undone "
        f"({bounds.SETTLED_SHARE:.0%} may)"
    )
    if share <= bounds.SETTLED_SHARE:
        return Ruling("settled", Word.KEPT, told)
    return Ruling("settled", Word.UNKNOWN if case.late else Word.BROKEN, case.late or told)


def _undone_s(case: Case) -> float:
    undone_s = case.history.at(Mark.UNDONE)
    return float("inf") if undone_s is None else undone_s


def retried(case: Case) -> Ruling | None:
    """Rule on pages that failed though another web server could have been asked.

    A balancer asks again for what may be done twice, unless an answer had begun. Only where it
    lives itself, and the web server is dead rather than hung.
    """
    roles = frozenset(
        role
        for server in case.farm.servers
        if server.name in case.fault.servers
        for role in server.roles
    )
    of_web = case.fault.engine in {"nginx", "php"} or (
        not case.fault.engine and roles == {Role.WEB}
    )
    silent = case.fault.action in _SILENT and not case.fault.others and not case.fault.one_way
    if not of_web or not silent or not case.expected.survives:
        return None
    pages = felt([deed for deed in case.history.deeds if deed.kind in PAGES], case.from_s)
    failed = [d for d in pages if d.outcome not in {Outcome.DONE, Outcome.CUT_SHORT}]
    told = f"{len(failed)} of {len(pages)} pages failed{in_brackets(failed)}; a balancer asks again"
    if not failed:
        return Ruling("retried", Word.KEPT, told)
    return Ruling("retried", Word.UNKNOWN if case.late else Word.BROKEN, case.late or told)


def control(case: Case) -> Ruling:
    """Rule on what there was without a fault: all of the control, and what came before a fault.

    A farm that fails, or halts, by itself is not measured by what happens next.
    """
    alone = case.fault.action is Action.NONE
    until_s = float("inf") if alone else case.from_s
    # What was under way when the fault began may have failed of it.
    before = [d for d in case.history.deeds if (alone or d.ended_s < until_s)]
    flaws = [*_failed(before), *_halted(case, before)]
    flaws += [case.late] if alone and case.late else []
    if not flaws:
        return Ruling("control", Word.KEPT, f"{len(before)} requests without a fault, none failed")
    word = Word.BROKEN if alone and not case.late else Word.UNKNOWN
    return Ruling("control", word, ("" if alone else "before the fault began: ") + joined(flaws))


def _failed(deeds: Sequence[Deed]) -> Iterator[str]:
    if counts := failures(deeds):
        yield f"{sum(counts.values())} of {len(deeds)} requests failed{in_brackets(deeds)}"


def _halted(case: Case, deeds: Sequence[Deed]) -> Iterator[str]:
    for kind in _TIMED:
        most_s = _most_steady_s(case, kind)
        longest, _ = outages([deed for deed in deeds if deed.kind is kind], 0.0)
        if longest.s > most_s:
            told = f"no {_PLURAL[kind]} for {seconds(longest.s)}, from {longest.from_s:.2f} s on"
            yield f"{told} ({seconds(most_s)} may be)"


def _most_steady_s(case: Case, kind: Kind) -> float:
    outage_s = case.promises.outage_s
    own_s = {Kind.ROW: bounds.ROW_S, Kind.SESSION: bounds.ROW_S, Kind.FILE: bounds.FILE_S}
    return max(outage_s, own_s.get(kind, 0.0)) / bounds.STEADY_SHARE


def in_brackets(deeds: Iterable[Deed]) -> str:
    """Return the failures by outcome, as an addition to a sentence: `` (3 reset, 1 timed out)``."""
    counts = failures(list(deeds))
    return f" ({', '.join(f'{count} {what}' for what, count in counts.items())})" if counts else ""


def seconds(value: float) -> str:
    """Return a time as a person reads it."""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


RULES: tuple[Callable[[Case], Ruling | None], ...] = (
    outage,
    settled,
    retried,
    planned_failures,
)
