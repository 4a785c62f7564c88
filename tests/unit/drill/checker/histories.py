"""Histories made by hand: a farm that answers, and flaws put into it one at a time."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from stillup.drill.history import Copies, Deed, Heard, History, Kind, Look, Mark, Moment, Outcome

RATES = {Kind.NEW: 200, Kind.KEPT: 200, Kind.SESSION: 20, Kind.ROW: 100, Kind.FILE: 10}
TOOK_S = 0.004
FAULT_S, BEGUN_S, UNDONE_S, WHOLE_S, LASTED_S = 4.0, 4.1, 12.1, 16.0, 18.0
VISITORS = 4
VIP = "10.0.0.1"
LB1, LB2, WEB1 = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"
NAMES = ((LB1, "lb1"), (LB2, "lb2"), (WEB1, "web1"))
KEEPERS = {Kind.ROW: ("data1", "data2"), Kind.FILE: ("data1", "data2")}


def deeds(lasted_s: float = LASTED_S) -> Iterator[Deed]:
    """Yield what users do when all is well, in order of kinds."""
    for kind, rate in RATES.items():
        for place in range(int(lasted_s * rate)):
            due_s = place / rate
            visitor = place % VISITORS if kind is Kind.SESSION else 0
            number = place // VISITORS + 1 if kind is Kind.SESSION else place + 1
            web = f"web{1 + visitor % 2}"
            yield Deed(
                *(kind, number, due_s, due_s, due_s + TOOK_S, Outcome.DONE, 200),
                balancer="lb1",
                web=web,
                visitor=visitor,
            )


def moments() -> tuple[Moment, ...]:
    """Return the moments of a fault that came and went."""
    return (
        Moment(FAULT_S, Mark.FAULT),
        Moment(BEGUN_S, Mark.FAULT_BEGUN),
        Moment(UNDONE_S, Mark.UNDONE),
        Moment(WHOLE_S, Mark.WHOLE),
    )


def tenure(hardware: str, from_s: float, to_s: float, every_s: float = 0.02) -> Iterator[Heard]:
    """Yield the answers of one that holds the address."""
    for place in range(round((to_s - from_s) / every_s) + 1):
        yield Heard(round(from_s + place * every_s, 3), VIP, hardware)


def well(lasted_s: float = LASTED_S) -> History:
    """Return the history of a fault that nobody felt."""
    told = tuple(sorted(deeds(lasted_s), key=lambda deed: deed.due_s))
    return kept(
        History(
            "2026-01-01T00:00:00Z",
            lasted_s,
            told,
            moments(),
            looks=(Look(1.0, "serving", whole=True, why="all of them work"),),
            heard=tuple(tenure(LB1, 0.0, lasted_s)),
            names=NAMES,
        )
    )


def kept(history: History) -> History:
    """Return a history whose keepers have what was acknowledged, and nothing else."""
    copies = tuple(
        Copies(server, kind, numbers(history, kind))
        for kind, servers in KEEPERS.items()
        for server in servers
    )
    return replace(history, copies=copies)


def numbers(history: History, kind: Kind) -> frozenset[int]:
    """Return what was acknowledged of a kind."""
    done = (deed for deed in history.deeds if deed.outcome is Outcome.DONE)
    return frozenset(deed.number for deed in done if deed.kind is kind)


def with_deeds(history: History, change: Callable[[Deed], Deed]) -> History:
    """Return a history whose deeds went otherwise; the keepers have what was acknowledged then."""
    return kept(replace(history, deeds=tuple(map(change, history.deeds))))


def stalled(from_s: float, to_s: float, *kinds: Kind) -> Callable[[Deed], Deed]:
    """Return the change by which all of some kinds that are due in a time wait for its end."""

    def change(deed: Deed) -> Deed:
        if deed.kind in kinds and from_s <= deed.due_s < to_s:
            return replace(deed, ended_s=to_s + TOOK_S)
        return deed

    return change


def failing(
    from_s: float, to_s: float, outcome: Outcome, *kinds: Kind, every: int = 1
) -> Callable[[Deed], Deed]:
    """Return the change by which each so-many-th of some kinds that is due in a time fails."""

    def change(deed: Deed) -> Deed:
        chosen = deed.kind in kinds and from_s <= deed.due_s < to_s and deed.number % every == 0
        return replace(deed, outcome=outcome, status=0) if chosen else deed

    return change


def copies_without(history: History, server: str, kind: Kind, *missing: int) -> History:
    """Return a history in which one keeper lacks some numbers."""
    return replace(
        history,
        copies=tuple(
            replace(one, numbers=one.numbers - {*missing})
            if (one.server, one.kind) == (server, kind)
            else one
            for one in history.copies
        ),
    )
