"""The report as one HTML page that needs nothing else: no network, no other file (pure).

The tables are HTML and are there without JavaScript; ``page.js`` draws the timelines with uPlot,
which is in ``uplot/`` as its authors released it, and in the page. A policy in the page lets no
other program run and nothing be fetched.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from itertools import chain

from stillup.drill.history import Kind
from stillup.drill.report.compare import Change
from stillup.drill.report.document import written
from stillup.drill.report.run import Played, Run
from stillup.drill.report.summary import (
    excused,
    failed,
    headline,
    label,
    lost,
    promises,
    seconds,
    whole_after,
    worst_first,
)
from stillup.drill.verdict import Ruling, Word

UPLOT_VERSION = "1.6.32"
UPLOT_SHA256 = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
"""What npm serves for that version; a test compares."""
QUANTILES = (
    ("p50", "50 %"),
    ("p90", "90 %"),
    ("p99", "99 %"),
    ("p999", "99.9 %"),
    ("max", "slowest"),
)
"""``latency_s`` and what its column is called: answered within; the slowest of them."""
OPEN_AT_FIRST = 6
"""So many drills that were not kept have their charts open."""
TROUBLE_SHOWN = 20


_ASKED = {
    "new": "on new connections",
    "kept": "on open ones",
    "session": "of sessions",
    "row": "rows",
    "file": "files",
}
"""What the kinds of requests are called after a number."""


@dataclass(frozen=True, slots=True)
class _Drill:
    """One drill as the page's tables show it."""

    number: int
    """Its place in ``Run.played``, from 1."""
    played: Played
    word: str
    """Its verdict, or ``excused``."""
    label: str
    pages_out: str
    rows_out: str
    files_out: str
    failed: str
    lost: str
    sessions_lost: str
    whole_after: str
    open: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Matrix:
    """What became of any two servers, for one action."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[_Drill | None, ...]], ...]


def page(run: Run, changes: Sequence[Change] = (), earlier: Run | None = None) -> str:
    """Return the page.

    Args:
        run: What it tells.
        changes: What is different from the earlier run.
        earlier: That run; None leaves the comparison out.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "seconds": seconds,
        "minutes": _minutes,
        "instant": _instant,
        "count": lambda value: f"{value:,}",
    }
    # Ours, uPlot's, and JSON in which no "<" is left; all else is escaped.
    safe = {name: Markup(text) for name, text in _programs(run).items()}  # noqa: S704
    drills = tuple(_drills(run))
    trouble = tuple(_trouble(drills))
    return environment.from_string(_file("page.html")).render(
        safe,
        run=run,
        headline=headline(run),
        promises=promises(run),
        drills=drills,
        trouble=trouble,
        trouble_shown=TROUBLE_SHOWN,
        matrices=tuple(_matrices(run, drills)),
        changes=changes,
        earlier=earlier,
        quantiles=QUANTILES,
        rates=_rates(run),
        latest=max(
            (drill.verdict.figures.late_s.get("max", 0.0) for drill in run.played), default=0.0
        ),
        uplot_version=UPLOT_VERSION,
    )


@cache
def _file(name: str) -> str:
    return files("stillup.drill.report").joinpath(name).read_text(encoding="utf-8")


def _programs(run: Run) -> dict[str, str]:
    """Return what goes into the page as it is: styles, programs, data, and which may run."""
    programs = {"uplot_js": _file("uplot/uPlot.iife.min.js"), "js": _file("page.js")}
    # "<" only stands within strings in JSON, so that no string can end the element.
    data = written(run).strip().replace("<", "\\u003c")
    return {
        **programs,
        "run_json": data,
        "uplot_css": _file("uplot/uPlot.min.css"),
        "css": _file("page.css"),
        "script_hashes": " ".join(_hash(program) for program in programs.values()),
    }


def _hash(program: str) -> str:
    digest = hashlib.sha256(program.encode()).digest()
    return f"'sha256-{b64encode(digest).decode()}'"


def _drills(run: Run) -> Iterator[_Drill]:
    numbers = {id(played): number for number, played in enumerate(run.played, 1)}
    for place, played in enumerate(worst_first(run)):
        figures = played.verdict.figures
        trouble = played.verdict.word is not Word.KEPT
        yield _Drill(
            number=numbers[id(played)],
            played=played,
            word="excused" if excused(played) else played.verdict.word.value,
            label=label(played),
            pages_out=seconds(figures.outage.s),
            rows_out=seconds(figures.kinds["row"].outage.s) if "row" in figures.kinds else "",
            files_out=seconds(figures.kinds["file"].outage.s) if "file" in figures.kinds else "",
            failed=f"{failed(figures):,}",
            lost=f"{lost(figures):,}",
            sessions_lost=f"{figures.sessions_lost:,}",
            whole_after=whole_after(figures),
            open=trouble and place < OPEN_AT_FIRST,
            notes=tuple(_notes(played)),
        )


def _notes(played: Played) -> Iterator[str]:
    figures = played.verdict.figures
    yield from played.notes
    for place, numbers in figures.lost.items():
        some = ", ".join(str(number) for number in numbers[:10])
        yield f"Lost: {len(numbers):,} {place}: {some}{', ...' if numbers[10:] else ''}"
    yield from figures.disagree
    for kind, count in figures.doubtful.items():
        if count:
            yield f"{count:,} of kind {kind} are there that were never acknowledged, which is allowed"
    late = ", ".join(f"{name} {seconds(late_s)}" for name, late_s in figures.late_s.items())
    yield f"Began {_instant(played.began)}; the workload itself was late: {late}"


def _trouble(drills: Sequence[_Drill]) -> Iterator[tuple[_Drill, Ruling]]:
    for word in (Word.BROKEN, Word.UNKNOWN):
        for drill in drills:
            for ruling in drill.played.verdict.rulings:
                if ruling.word is word:
                    yield drill, ruling


def _matrices(run: Run, drills: Sequence[_Drill]) -> Iterator[_Matrix]:
    """Yield a table of pairs for each action that was played on several."""
    names = [server.name for server in run.servers]
    pairs: dict[str, dict[frozenset[str], _Drill]] = {}
    for drill in drills:
        fault = drill.played.verdict.fault
        if len(fault.servers) == 2 and not fault.others:
            title = " ".join(filter(None, (fault.action.value, fault.engine)))
            pairs.setdefault(title, {})[frozenset(fault.servers)] = drill
    for title, found in pairs.items():
        taking = [name for name in names if name in chain.from_iterable(found)]
        if len(found) > 1:
            rows = (
                (row, tuple(found.get(frozenset({row, column})) for column in taking))
                for row in taking
            )
            yield _Matrix(title, tuple(taking), tuple(rows))


def _rates(run: Run) -> str:
    """Return what users ask for, as a sentence's part: all of it, then each kind."""
    rates = {kind: rate for kind, rate in run.rates.items() if rate and kind != Kind.DOWNLOAD}
    if not rates:
        return "no requests"
    kinds = ", ".join(f"{rate:g} {_ASKED.get(kind, kind)}" for kind, rate in rates.items())
    more = ", and a download" if run.rates.get(Kind.DOWNLOAD) else ""
    return f"{sum(rates.values()):g} requests a second ({kinds}{more})"


def _minutes(time_s: float) -> str:
    whole_s = round(time_s)
    return f"{whole_s // 60} min {whole_s % 60} s" if whole_s >= 60 else f"{whole_s} s"


def _instant(iso: str) -> str:
    """Return a wall time as people read it; as it is where it is none."""
    try:
        return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return iso
