"""What a person sees of a run on the terminal: a line a drill while it runs, the verdict at the end.

Plain words and ASCII only, as in ``stillup status``.
"""

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stillup.drill.report.compare import Change, Way
from stillup.drill.report.run import Played, Run
from stillup.drill.report.summary import (
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

_STYLES = {Word.KEPT: "green", Word.BROKEN: "bold red", Word.UNKNOWN: "yellow"}
_HEADLINE_STYLES = {
    Word.KEPT: "bold white on dark_green",
    Word.BROKEN: "bold white on red",
    Word.UNKNOWN: "bold black on yellow",
}
_WAY_STYLES = {Way.WORSE: "red", Way.BETTER: "green"}


class Screen:
    """Tells a run while it runs.

    Args:
        console: Where to; stderr, as stdout is for what was asked for.
        total: How many drills will be played.
        clock: Returns monotonic seconds.
        alive: Whether it is a terminal whose last line can be drawn over.
    """

    def __init__(
        self, console: Console, total: int, clock: Callable[[], float], *, alive: bool
    ) -> None:
        self._console = console
        self._total = total
        self._clock = clock
        self._began_s = clock()
        self._ended_s = self._began_s
        self._begun = 0
        self._name = ""
        self._phase = ""
        self._live = (
            Live(console=console, get_renderable=self._progress, refresh_per_second=2)
            if alive
            else None
        )

    def __enter__(self) -> "Screen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._name = ""
            self._live.stop()

    def begins(self, name: str) -> None:
        """A drill begins."""
        self._begun += 1
        self._name, self._phase = name, ""
        self._refresh()

    def phase(self, text: str) -> None:
        """A drill has come so far; shown where the last line can be drawn over."""
        self._phase = text
        self._refresh()

    def ended(self, played: Played) -> None:
        """A drill is over."""
        self._name = ""
        self._ended_s = self._clock()
        self._console.print(line(played), soft_wrap=True)

    def say(self, text: str) -> None:
        """Tell a sentence that belongs to no drill."""
        self._console.print(Text(text), soft_wrap=True)

    def _progress(self) -> RenderableType:
        if not self._name:
            return Text("")
        gone_s = self._clock() - self._began_s
        return Text.assemble(
            (f"[{self._begun} of {self._total}] ", "bold"),
            self._name,
            f": {self._phase}" if self._phase else "",
            (f"  {_minutes(gone_s)} gone{self._left(gone_s)}", "dim"),
            no_wrap=True,
            overflow="ellipsis",
        )

    def _left(self, gone_s: float) -> str:
        """Return how long it will still take, from how long those played took."""
        over = self._begun - 1
        if not over:
            return ""
        over_s = self._ended_s - self._began_s
        return f", about {_minutes(over_s / over * (self._total - over) - (gone_s - over_s))} left"

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.refresh()


def line(played: Played) -> Text:
    """Return one drill as one line."""
    verdict = played.verdict
    told = Text.assemble(
        (f"{verdict.word.value:<8}", _STYLES[verdict.word]),
        (f"{played.name:<40} ", "bold" if verdict.word is Word.BROKEN else ""),
        ", ".join(_figures(played)),
    )
    for ruling in _trouble(played):
        told.append(f"\n        {ruling.promise}: {ruling.text}", style=_STYLES[ruling.word])
    return told


def page(run: Run, changes: Sequence[Change] = (), earlier: Run | None = None) -> RenderableType:
    """Return the whole run: the verdict first, each promise, each drill, what was not tested."""
    return Group(
        Text.assemble(
            (f" {run.word.value.upper()} ", _HEADLINE_STYLES[run.word]),
            "  ",
            (run.farm, "bold"),
            f": {headline(run)}",
        ),
        _promises(run),
        _drills(run),
        *_not_kept(run),
        *_changes(changes, earlier),
        *_not_tested(run),
    )


def _figures(played: Played) -> Iterator[str]:
    figures = played.verdict.figures
    yield f"outage {seconds(figures.outage.s)}"
    yield f"{failed(figures)} failed"
    yield f"{lost(figures)} lost"
    if figures.sessions_lost:
        yield f"{figures.sessions_lost} sessions lost"
    if figures.both_s:
        yield f"two holders for {seconds(figures.both_s)}"
    if figures.whole_after_s:
        yield f"whole after {seconds(figures.whole_after_s)}"


def _trouble(played: Played) -> Iterator[Ruling]:
    return (ruling for ruling in played.verdict.rulings if ruling.word is not Word.KEPT)


def _promises(run: Run) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for title in ("promise", "", "the worst that was", "drills"):
        table.add_column(title, overflow="fold")
    for promise in promises(run):
        table.add_row(
            promise.title,
            Text(promise.word.value, _STYLES[promise.word]),
            promise.worst,
            ", ".join(f"{count} {word.value}" for word, count in promise.counts),
        )
    return table


def _drills(run: Run) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    table.add_column("drill", overflow="fold")
    table.add_column("")
    for title in ("outage", "failed", "lost", "whole after"):
        table.add_column(title, justify="right")
    for played in worst_first(run):
        figures = played.verdict.figures
        word = played.verdict.word
        table.add_row(
            Text(played.name, _STYLES[word]),
            Text(label(played), _STYLES[word]),
            seconds(figures.outage.s),
            f"{failed(figures):,}",
            f"{lost(figures):,}",
            whole_after(figures),
        )
    return table


def _not_kept(run: Run) -> Iterator[RenderableType]:
    found = [(played.name, ruling) for played in worst_first(run) for ruling in _trouble(played)]
    if found:
        yield Text("Not kept:", style="bold")
    for name, ruling in found:
        yield Text(f"  {name}: {ruling.promise}: {ruling.text}", _STYLES[ruling.word])


def _changes(changes: Sequence[Change], earlier: Run | None) -> Iterator[RenderableType]:
    if earlier is None:
        return
    yield Text(f"Compared with the run of {earlier.began}:", style="bold")
    if not changes:
        yield Text("  nothing is different beyond what one run is from the next")
    for change in changes:
        yield Text(
            f"  {change.way.value:<7} {change.name}: {change.text}", _WAY_STYLES.get(change.way, "")
        )


def _not_tested(run: Run) -> Iterator[RenderableType]:
    if run.not_tested:
        yield Text("Not tested:", style="bold")
    for untested in run.not_tested:
        yield Text(f"  {untested.name}: {untested.why}")


def _minutes(time_s: float) -> str:
    whole_s = max(0, round(time_s))
    return f"{whole_s // 60}:{whole_s % 60:02}"
