"""Hand-made runs: what a farm of six might have gone through, without a farm."""

import random
from collections.abc import Iterator
from statistics import quantiles

from stillup.drill.fault import Action, Fault
from stillup.drill.history import Deed, Heard, History, Kind, Look, Mark, Moment, Outcome
from stillup.drill.report.run import Played, Run, Taking, Untested
from stillup.drill.report.timeline import played
from stillup.drill.verdict import Figures, KindFigures, Ruling, Span, Verdict, Word
from stillup.model.farm import Promises

RATES = {"new": 20.0, "kept": 20.0, "session": 5.0, "row": 10.0, "file": 2.0, "download": 1.0}
"""A tenth of a real run's: as many charts in a tenth of the time."""
SERVERS = ("lb1", "lb2", "web1", "web2", "data1", "data2")
FAULT_S = 4.0
UNDONE_S = 12.0
END_S = 20.0


def run(*drills: Played, stopped: str = "", began: str = "2026-01-02T03:04:05Z") -> Run:
    """Return a run of these drills."""
    return Run(
        farm="six",
        began=began,
        lasted_s=sum(drill.lasted_s for drill in drills),
        command="stillup drill --set single --report page.html",
        version="0.1.0",
        where="lab",
        machine="2 processors, 8 GB, Linux 6.12",
        servers=tuple(Taking(name, (name.rstrip("12"),)) for name in SERVERS),
        promises=Promises(outage_s=1.0, lost_writes=0, planned_failures=0),
        rates=RATES,
        played=drills,
        not_tested=(Untested("slow-disk at any server", "this kernel has no io.max for its disk"),),
        stopped=stopped,
    )


def drill(
    fault: Fault, outage_s: float, word: Word = Word.KEPT, *, lost: int = 0, held: bool = True
) -> Played:
    """Return one drill whose pages were away for so long from the fault on."""
    luck = random.Random(f"{fault.name} {outage_s}")
    history = _history(fault, outage_s, luck)
    return played(history, _verdict(fault, history, outage_s, word, lost, held=held))


def power_off(*servers: str) -> Fault:
    return Fault(Action.POWER_OFF, servers)


def _history(fault: Fault, outage_s: float, luck: random.Random) -> History:
    at_s = FAULT_S + 0.05
    deeds = sorted(_deeds(at_s, outage_s, luck), key=lambda deed: deed.due_s)
    moves = "lb1" in fault.servers
    return History(
        began="2026-01-02T03:04:05Z",
        lasted_s=END_S,
        deeds=tuple(deeds),
        moments=(
            Moment(FAULT_S, Mark.FAULT),
            Moment(at_s, Mark.FAULT_BEGUN),
            Moment(UNDONE_S, Mark.UNDONE),
            Moment(UNDONE_S + 3.2, Mark.WHOLE),
        ),
        looks=tuple(_looks(fault, moved=moves)),
        heard=tuple(
            Heard(when / 50, "10.0.0.1", "aa" if when / 50 < at_s or not moves else "bb")
            for when in range(int(END_S * 50))
            if not at_s < when / 50 < at_s + outage_s * moves
        ),
        names=(("aa", "lb1"), ("bb", "lb2")),
    )


def _deeds(at_s: float, outage_s: float, luck: random.Random) -> Iterator[Deed]:
    for kind in (Kind.NEW, Kind.KEPT, Kind.SESSION, Kind.ROW, Kind.FILE):
        for number in range(int(RATES[kind] * END_S)):
            due_s = number / RATES[kind]
            took_s = luck.lognormvariate(-5.3, 0.5)
            left_s = at_s + outage_s - due_s
            if not 0 < left_s <= outage_s:
                outcome = Outcome.DONE
            elif luck.random() < 0.3:
                outcome, took_s = luck.choice([Outcome.REFUSED, Outcome.RESET]), 0.001
            elif left_s > 2:
                outcome, took_s = Outcome.TIMED_OUT, 2.0
            else:
                outcome, took_s = Outcome.DONE, left_s + took_s
            yield Deed(kind, number, due_s, due_s + luck.random() / 5000, due_s + took_s, outcome)


def _looks(fault: Fault, *, moved: bool) -> Iterator[Look]:
    for at_s in range(int(END_S)):
        gone = FAULT_S < at_s < UNDONE_S + 3
        yield Look(
            at_s,
            "at risk" if gone else "serving",
            not gone,
            f"{' and '.join(fault.servers)} does not answer" if gone else "nothing is missing",
            (("10.0.0.1", "lb2" if moved and at_s > FAULT_S else "lb1"),),
        )


def _verdict(
    fault: Fault, history: History, outage_s: float, word: Word, lost: int, *, held: bool
) -> Verdict:
    out = Span(FAULT_S + 0.05, FAULT_S + 0.05 + outage_s)
    rulings = [
        Ruling("outage", word, f"no page for {outage_s:.2f} s (1.00 s promised)", held=held)
        if not fault.planned
        else Ruling("planned-failures", word, "no request may fail; none did"),
        Ruling("lost-writes", Word.BROKEN if lost else Word.KEPT, f"{lost} acknowledged rows lost"),
        Ruling("never-both", Word.KEPT, "never two were heard"),
        Ruling("whole-again", Word.KEPT, "whole 3.2 s after the fault was undone"),
    ]
    kinds = {kind.value: _figures(history, kind, out) for kind in Kind if kind != Kind.DOWNLOAD}
    return Verdict(
        fault,
        word,
        tuple(rulings),
        Figures(
            kinds=kinds,
            outage=out,
            lost={"row at data1": tuple(range(101, 101 + lost))} if lost else {},
            doubtful={"row": 3, "file": 0},
            disagree=(),
            sessions_lost=0,
            both_s=0.0,
            whole_after_s=3.2,
            late_s={"p99": 0.0011, "max": 0.0043},
        ),
    )


def _figures(history: History, kind: Kind, out: Span) -> KindFigures:
    deeds = [deed for deed in history.deeds if deed.kind is kind and deed.due_s >= FAULT_S]
    took = [deed.ended_s - deed.due_s for deed in deeds if deed.outcome is Outcome.DONE]
    cuts = quantiles(took, n=1000)
    places = {"p50": 499, "p90": 899, "p99": 989, "p999": 998}
    return KindFigures(
        asked=len(deeds),
        failed={
            outcome.value: count
            for outcome in Outcome
            if outcome is not Outcome.DONE
            and (count := sum(deed.outcome is outcome for deed in deeds))
        },
        outage=out,
        outages=(out,) if out.s >= 0.1 else (),
        latency_s={**{name: cuts[place] for name, place in places.items()}, "max": max(took)},
    )
