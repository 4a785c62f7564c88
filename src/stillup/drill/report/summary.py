"""The verdict of a whole run in one sentence and one row a promise (pure)."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stillup.drill.history import Kind
from stillup.drill.report.run import Played, Run
from stillup.drill.verdict import Figures, Ruling, Word

RANKS = {Word.BROKEN: 0, Word.UNKNOWN: 1, Word.KEPT: 2}
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise over all drills that were held to it."""

    promise: str
    """As in ``Ruling.promise``."""
    title: str
    """What was promised, as a person says it."""
    word: Word
    worst: str
    """The worst that was, with its drill; "" where all is well and there is no figure for it."""
    counts: tuple[tuple[Word, int], ...]
    """In how many drills it was broken, unknown and kept; without zeros."""


def headline(run: Run) -> str:
    """Return what became of the run, as one sentence."""
    counts = Counter(played.verdict.word for played in run.played)
    total = len(run.played)
    drills = "1 drill" if total == 1 else f"{total} drills"
    if not total:
        sentence = "Nothing was played"
    elif counts[Word.BROKEN]:
        sentence = f"{counts[Word.BROKEN]} of {drills} broke a promise"
        if counts[Word.UNKNOWN]:
            sentence += f", and {counts[Word.UNKNOWN]} could not tell"
    elif counts[Word.UNKNOWN]:
        sentence = f"{counts[Word.UNKNOWN]} of {drills} could not tell; no promise was seen broken"
    else:
        sentence = f"Every promise was kept in {drills}"
        if more := sum(map(excused, run.played)):
            sentence += f", {more} of them more than the farm promises to endure"
    return f"{sentence}; the run ended early: {run.stopped}" if run.stopped else sentence


def worst_first(run: Run) -> tuple[Played, ...]:
    """Return the drills: broken, then unknown, then kept; among these as they were played."""
    return tuple(sorted(run.played, key=lambda played: RANKS[played.verdict.word]))


def lost(figures: Figures) -> int:
    """Return how many acknowledged writes are missing at one keeper at least, of all kinds."""
    return len(
        {
            (place.partition(" at ")[0], number)
            for place, missing in figures.lost.items()
            for number in missing
        }
    )


def failed(figures: Figures) -> int:
    """Return how many requests failed, of all kinds and classes."""
    return sum(sum(kind.failed.values()) for kind in figures.kinds.values())


def acknowledged(figures: Figures) -> int:
    """Return how many writes were acknowledged."""
    return sum(
        figures.kinds[kind].asked - sum(figures.kinds[kind].failed.values())
        for kind in (Kind.ROW, Kind.FILE)
        if kind in figures.kinds
    )


def excused(played: Played) -> bool:
    """Return whether a drill went as it should, but the farm need not have endured it at all."""
    verdict = played.verdict
    return verdict.word is Word.KEPT and not all(ruling.held for ruling in verdict.rulings)


def label(played: Played) -> str:
    """Return a drill's verdict as a word for a table."""
    return "need not" if excused(played) else played.verdict.word.value


def whole_after(figures: Figures) -> str:
    """Return after what time redundancy was whole again, for a table."""
    after_s = figures.whole_after_s
    return "not in time" if after_s is None else seconds(after_s)


def promises(run: Run) -> tuple[Promise, ...]:
    """Return each promise that any drill was held to, in the order of importance."""
    titles = _titles(run)
    held: dict[str, list[tuple[Played, Ruling]]] = {promise: [] for promise in titles}
    for played in run.played:
        for ruling in played.verdict.rulings:
            if ruling.held:
                held.setdefault(ruling.promise, []).append((played, ruling))
    return tuple(
        _promise(promise, titles.get(promise, promise), drills)
        for promise, drills in held.items()
        if drills
    )


def _promise(promise: str, title: str, drills: Sequence[tuple[Played, Ruling]]) -> Promise:
    counts = Counter(ruling.word for _, ruling in drills)
    word = min(counts, key=RANKS.__getitem__)
    return Promise(
        promise=promise,
        title=title,
        word=word,
        worst=_worst(promise, word, drills),
        counts=tuple((word, counts[word]) for word in RANKS if counts[word]),
    )


def _worst(promise: str, word: Word, drills: Sequence[tuple[Played, Ruling]]) -> str:
    """Return the worst figure; where the promise was not kept, what was said of the first that shows it."""
    if word is Word.KEPT:
        figure = _WORST.get(promise)
        return figure([played for played, _ in drills]) if figure else ""
    first, *more = [(played, ruling) for played, ruling in drills if ruling.word is word]
    told = f"{first[0].name}: {first[1].text}"
    return f"{told}; and {len(more)} more" if more else told


def _titles(run: Run) -> dict[str, str]:
    """Return what is promised, the most important first."""
    promised = run.promises
    return {
        "outage": f"Users are interrupted for at most {seconds(promised.outage_s)}",
        "lost-writes": "No acknowledged write is lost"
        if not promised.lost_writes
        else f"At most {promised.lost_writes} acknowledged writes are lost",
        "never-both": "Never two servers answer for one address",
        "planned-failures": "Planned work costs no request"
        if not promised.planned_failures
        else f"Planned work costs at most {promised.planned_failures} requests",
        "change": "Planned work is done",
        "sessions": "Nobody loses a session",
        "wrong-content": "Every answer is the one that was asked for",
        "settled": "While the fault lasts, all users are served by what is left",
        "retried": "A page asked of a dead web server is asked of another",
        "sticky": "A visitor stays at one web server",
        "same-copies": "All who keep the data have the same",
        "whole-again": "The farm is whole again by itself",
        "control": "Without a fault, nothing happens",
        "fault": "The fault came about",
    }


def _longest_outage(drills: Sequence[Played]) -> str:
    worst = max(drills, key=lambda played: played.verdict.figures.outage.s)
    return f"{seconds(worst.verdict.figures.outage.s)} ({worst.name})"


def _lost_writes(drills: Sequence[Played]) -> str:
    count = sum(lost(played.verdict.figures) for played in drills)
    written = sum(acknowledged(played.verdict.figures) for played in drills)
    return f"{count:,} of {written:,} lost"


def _most_failed(drills: Sequence[Played]) -> str:
    worst = max(drills, key=lambda played: failed(played.verdict.figures))
    count = failed(worst.verdict.figures)
    return f"{count:,} failed ({worst.name})" if count else "none failed"


def _lost_sessions(drills: Sequence[Played]) -> str:
    count = sum(played.verdict.figures.sessions_lost for played in drills)
    return f"{count:,} sessions lost"


def _last_whole(drills: Sequence[Played]) -> str:
    after = [(played.verdict.figures.whole_after_s or 0.0, played.name) for played in drills]
    after_s, name = max(after)
    return f"after at most {seconds(after_s)} ({name})"


def seconds(time_s: float) -> str:
    """Return a time as people read it: milliseconds below one second, at most three digits."""
    if round(time_s, 3) < 1:
        return f"{time_s * 1000:.0f} ms"
    return f"{time_s:.3g} s" if time_s < 100 else f"{time_s:.0f} s"


_WORST: dict[str, Callable[[Sequence[Played]], str]] = {
    "outage": _longest_outage,
    "lost-writes": _lost_writes,
    "never-both": lambda _: "never two on the wire",
    "planned-failures": _most_failed,
    "sessions": _lost_sessions,
    "whole-again": _last_whole,
}
