"""The table as a picture: every run a dot, outages left, two holders at once right. Pure; SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.failover.contenders import Contender
from bench.failover.faults import FAULTS
from bench.failover.measure import summary
from bench.failover.verdicts import Record, figures

COLOURS = ("#b5651d", "#8a94a6", "#4f5d75", "#a39a3f", "#0a7d6c", "#16b89a")
INK, FAINT, BAND = "#1d2430", "#8b93a1", "#f4f6f9"
LEFT, TOP, LANE, PAD, FOOT = 250, 118, 11, 9, 40
FONT = "font-family='system-ui,Segoe UI,Helvetica,Arial,sans-serif'"


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis in seconds; what is below it sits at its left end.

    Args:
        x: Where it begins.
        width: How wide it is.
        least_s: What it begins at.
        most_s: What it ends at.
        what: The figure it shows.
        title: Above it.
    """

    x: float
    width: float
    least_s: float
    most_s: float
    what: str
    title: str

    def at(self, value_s: float) -> float:
        """Return where a figure lies."""
        clamped = min(max(value_s, self.least_s), self.most_s)
        return self.x + self.width * math.log(clamped / self.least_s) / math.log(
            self.most_s / self.least_s
        )


AXES = (
    Axis(LEFT, 540, 0.001, 40.0, "lasted_s", "outage as a client sees it"),
    Axis(LEFT + 620, 250, 0.01, 40.0, "both_s", "two servers hold the address"),
)
WIDTH = LEFT + 620 + 250 + 60


def drawn(records: Sequence[Record], everybody: Sequence[Contender]) -> str:
    """Return the picture."""
    rows = [
        (words, fault.key, part)
        for fault in FAULTS
        for part, words in (("fault", fault.words), ("after", fault.after))
        if words
    ]
    step = LANE * len(everybody) + 2 * PAD
    height = TOP + step * len(rows) + FOOT
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}'"
        f" height='{height}' {FONT} fill='{INK}'>",
        f"<rect width='{WIDTH}' height='{height}' fill='white'/>",
        *_legend(everybody),
    ]
    for number, (words, _, part) in enumerate(rows):
        top = TOP + number * step
        if number % 2 == 0:
            parts.append(f"<rect y='{top}' width='{WIDTH}' height='{step}' fill='{BAND}'/>")
        indent, weight = (34, 400) if part == "after" else (20, 600)
        parts.append(_text(indent, top + step / 2 + 4, words, size=13, weight=weight))
    for axis in AXES:
        parts += _grid(axis, height - FOOT)
        for number, (_, key, part) in enumerate(rows):
            for lane, contender in enumerate(everybody):
                y = TOP + number * step + PAD + LANE * (lane + 0.5)
                parts += _lane(axis, y, _dots(records, contender, (key, part), axis), COLOURS[lane])
    foot = "Each dot is a run, each diamond the median; an arrow: not ended when the watching did."
    parts.append(_text(20, height - 14, foot, size=11, colour=FAINT))
    return "\n".join([*parts, "</svg>"]) + "\n"


Dot = tuple[float, bool]


def _dots(
    records: Sequence[Record], contender: Contender, place: tuple[str, str], axis: Axis
) -> list[Dot]:
    key, part = place
    found = figures(records, contender.name, key, part, axis.what)
    if axis.what != "lasted_s":
        return [(value, True) for value in found]
    ended = figures(records, contender.name, key, part, "ended")
    return [(value, bool(end)) for value, end in zip(found, ended, strict=True)]


def _lane(axis: Axis, y: float, dots: Sequence[Dot], colour: str) -> list[str]:
    if not dots:
        return []
    told = summary([value for value, _ in dots])
    if axis.what == "both_s" and told["max"] == 0:
        return [_text(axis.x + 2, y + 3, "never", size=9, colour=colour)]
    left, right = axis.at(told["min"]), axis.at(told["max"])
    middle = axis.at(told["median"])
    line = f"<line x1='{left:.1f}' x2='{right:.1f}' y1='{y}' y2='{y}'"
    parts = [f"{line} stroke='{colour}' stroke-width='2' stroke-opacity='.45'/>"]
    for value, ended in dots:
        x = axis.at(value)
        if ended:
            dot = f"<circle cx='{x:.1f}' cy='{y}' r='2.2'"
        else:
            dot = f"<path d='M{x:.1f} {y - 3.5} l6 3.5 l-6 3.5z'"
        parts.append(f"{dot} fill='{colour}' fill-opacity='.55'/>")
    shape = f"M{middle:.1f} {y - 4.2} l4.2 4.2 l-4.2 4.2 l-4.2 -4.2z"
    parts.append(f"<path d='{shape}' fill='{colour}' stroke='white' stroke-width='.8'/>")
    word = _word(told["median"])
    if not all(ended for _, ended in dots):
        right, word = right + 4, f"over {word}" if told["median"] == told["max"] else word
    parts.append(_text(right + 7, y + 3, word, size=9, colour=colour))
    return parts


def _word(value_s: float) -> str:
    if value_s < 0.001:
        return "none"
    return f"{value_s * 1000:.0f} ms" if value_s < 1 else f"{value_s:.1f} s"


def _grid(axis: Axis, bottom: float) -> list[str]:
    parts = [_text(axis.x, TOP - 32, axis.title, size=13, weight=600)]
    for mark_s, word in (
        (0.001, "1 ms"),
        (0.01, "10 ms"),
        (0.1, "100 ms"),
        (1.0, "1 s"),
        (10.0, "10 s"),
    ):
        if mark_s < axis.least_s:
            continue
        x = axis.at(mark_s)
        line = f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{TOP}' y2='{bottom}'"
        parts.append(f"{line} stroke='#d5dae2' stroke-width='1'/>")
        parts.append(_text(x, TOP - 9, word, size=10, colour=FAINT, middle=True))
    return parts


def _legend(everybody: Sequence[Contender]) -> list[str]:
    parts = [_text(20, 34, "The same faults beside the others", size=19, weight=700)]
    x = 20.0
    for colour, contender in zip(COLOURS, everybody, strict=False):
        parts.append(f"<circle cx='{x + 5}' cy='56' r='5' fill='{colour}'/>")
        weight = 700 if contender.is_ours else 400
        parts.append(_text(x + 15, 60, contender.name, size=12, weight=weight))
        x += 36 + 7.2 * len(contender.name)
    return parts


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int,
    weight: int = 400,
    colour: str = INK,
    middle: bool = False,
) -> str:
    anchor = " text-anchor='middle'" if middle else ""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}'"
        f" fill='{colour}'{anchor}>{escape(words)}</text>"
    )
