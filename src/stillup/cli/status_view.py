"""What ``stillup status`` shows a person: the verdict first, then who, then what to do.

Plain words and ASCII only, so that it reads the same in a log, over a serial console and
without colours.
"""

from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from urllib.parse import urlsplit

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stillup.model.farm import Farm
from stillup.status.observed import Asked, Observed
from stillup.status.verdict import (
    Finding,
    Level,
    Redundancy,
    ServerStanding,
    Severity,
    Verdict,
    VipStanding,
)

_LEVEL_STYLES = {
    Level.SERVING: "bold white on dark_green",
    Level.AT_RISK: "bold black on yellow",
    Level.DOWN: "bold white on red",
}
_SEVERITY_STYLES = {Severity.DOWN: "red", Severity.RISK: "yellow", Severity.NOTE: "cyan"}
_WELL = "green"


class Screen:
    """Where looks are shown: one after another, or each in the place of the last.

    Args:
        alive: Whether the output is a terminal that can be drawn over.
    """

    def __init__(self, *, alive: bool) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False) if alive else None

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
            self._live.stop()

    def show(self, farm: Farm, observed: Observed, verdict: Verdict) -> None:
        """Show one look."""
        picture = page(farm, observed, verdict)
        if self._live is None:
            self._console.print(picture)
        else:
            self._live.update(picture, refresh=True)


def page(farm: Farm, observed: Observed, verdict: Verdict) -> RenderableType:
    """Return the whole picture of one look."""
    return Group(
        _headline(farm, observed, verdict),
        _servers(observed, verdict),
        *(_vip(vip, observed) for vip in verdict.vips),
        _redundancy(verdict.redundancy),
        *_problems(verdict.problems),
    )


def duration(seconds: float) -> str:
    """Return a duration as people say it: its two largest units."""
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    left = int(seconds)
    counts: list[tuple[int, str]] = []
    for name, size in units:
        count, left = divmod(left, size)
        if count or counts:
            counts.append((count, name))
    return " ".join(f"{count} {name}" for count, name in counts[:2] if count) or "0 s"


def _headline(farm: Farm, observed: Observed, verdict: Verdict) -> Text:
    at = datetime.fromtimestamp(observed.at_s).astimezone()
    return Text.assemble(
        (f" {verdict.level.value.upper()} ", _LEVEL_STYLES[verdict.level]),
        "  ",
        (farm.name, "bold"),
        f" at {at:%H:%M:%S}: {verdict.why}",
    )


def _servers(observed: Observed, verdict: Verdict) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for title in ("server", "address", "roles", "state"):
        table.add_column(title, overflow="fold")
    for title in ("load", "disk free", "up for"):
        table.add_column(title, justify="right")
    for server in verdict.servers:
        style = _WELL if server.severity is None else _SEVERITY_STYLES[server.severity]
        table.add_row(
            Text(server.name, style=f"bold {style}"),
            server.address,
            ", ".join(role.value for role in server.roles),
            Text(server.state, style=style),
            *_measures(observed, server),
        )
    return table


def _measures(observed: Observed, server: ServerStanding) -> tuple[str, str, str]:
    seen = observed.reached(server.name)
    if seen is None:
        return "", "", ""
    free = f"{seen.fullest.free_bytes / (1 << 30):.1f} GB"
    return f"{seen.load:.2f}", free, duration(seen.uptime_s)


def _vip(vip: VipStanding, observed: Observed) -> Text:
    line = Text.assemble((vip.address, "bold"), ": ")
    if vip.holder is None:
        line.append("nobody holds it", style="bold red")
    else:
        line.append(f"held by {vip.holder}")
        if vip.since_s is not None:
            line.append(f" for {duration(vip.since_s)}")
    for asked in _of(vip, observed):
        line.append("; ")
        line.append(_asked(asked), style=_WELL if asked.answered else "red")
    return line


def _of(vip: VipStanding, observed: Observed) -> Iterator[Asked]:
    """Yield one request of each scheme: the one that went worse."""
    worst: dict[str, Asked] = {}
    for asked in observed.asked:
        url = urlsplit(asked.url)
        if url.hostname == vip.address and (url.scheme not in worst or not asked.answered):
            worst[url.scheme] = asked
    yield from worst.values()


def _asked(asked: Asked) -> str:
    scheme = asked.url.partition(":")[0]
    answer = asked.error if asked.status is None else str(asked.status)
    return f"{scheme} {answer} in {asked.took_s * 1000:.0f} ms"


def _redundancy(kinds: tuple[Redundancy, ...]) -> Text:
    line = Text("can lose now: ")
    for number, kind in enumerate(kinds):
        if number:
            line.append(", ")
        line.append(f"{kind.may_fail} of {kind.total} {kind.what}", style=_spare_style(kind))
        if not kind.by_design and kind.may_fail == 0:
            line.append(" (single by design)", style="dim")
    return line


def _spare_style(kind: Redundancy) -> str:
    if kind.working < kind.needed:
        return "red"
    if kind.may_fail == kind.by_design:
        return _WELL if kind.by_design else ""
    return "yellow"


def _problems(problems: tuple[Finding, ...]) -> Iterator[RenderableType]:
    for finding in problems:
        style = _SEVERITY_STYLES[finding.severity]
        told = Table.grid(padding=(0, 2, 0, 0))
        told.add_row(Text(f"{finding.severity.value:>4}", f"bold {style}"), Text(finding.text))
        told.add_row("", Text(f"-> {finding.way_out}", style="dim"))
        yield Text("")
        yield told
