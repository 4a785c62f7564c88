"""The faults, the rows of the table: what is done, and for how long one watches.

Each runs on a field of its own where lb1 holds the address. A fault has one or two parts: the
fault itself, and what follows when it is undone ("after").
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.failover.contenders import Contender
from bench.failover.field import Field

NEVER_S = 15.0
"""How long one watches where nothing happens: "not within 15 s"."""
KILLED_S = 10.0
STOPPED_S = 10.0
CUT_S = 20.0


@dataclass
class Run:
    """One run of a fault.

    Args:
        field: Where.
        contender: Whose daemons run there.
        marks: When each part began, ``fault`` and perhaps ``after``; and the ``end``.
    """

    field: Field
    contender: Contender
    marks: dict[str, float] = field(default_factory=dict)

    def mark(self, part: str, lasts_s: float, act: Callable[[], None]) -> None:
        """Begin a part and watch it."""
        self.marks[part] = time.monotonic()
        act()
        time.sleep(lasts_s)


@dataclass(frozen=True)
class Fault:
    """A row of the table.

    Args:
        key: In the file of figures.
        words: In the table.
        after: What the second part is called there; empty if there is none.
        play: Does it.
        fine: Whether its figures are milliseconds, so that little else may run beside it.
        by_requests: Whether the outage is that of requests, not of echoes.
    """

    key: str
    words: str
    play: Callable[[Run], None]
    after: str = ""
    fine: bool = False
    by_requests: bool = False


def _dies(run: Run) -> None:
    def act() -> None:
        run.field.boxes["lb1"].die()
        run.field.unplug("lb1")

    run.mark("fault", run.contender.takes_s + 1.0, act)


def _moves(run: Run) -> None:
    run.mark("fault", run.contender.takes_s + 1.0, lambda: run.contender.move(run.field))


def _killed(run: Run) -> None:
    run.mark("fault", KILLED_S, lambda: run.field.boxes["lb1"].kill("daemon"))
    run.mark("after", run.contender.heals_s, lambda: run.contender.start(run.field, "lb1"))


def _stopped(run: Run) -> None:
    box = run.field.boxes["lb1"]
    run.mark("fault", STOPPED_S, lambda: box.signal("daemon", signal.SIGSTOP))
    last_s = min(run.contender.heals_s, NEVER_S)
    run.mark("after", last_s, lambda: box.signal("daemon", signal.SIGCONT))


def _link_cut(run: Run) -> None:
    run.mark("fault", CUT_S, lambda: run.field.forward("lb1d", on=False))
    run.mark("after", run.contender.heals_s, lambda: run.field.forward("lb1d", on=True))


def _carrier(run: Run) -> None:
    run.mark("fault", _lan_s(run), lambda: run.field.lan("lb1", "down"))


def _silent(run: Run) -> None:
    run.mark("fault", _lan_s(run), lambda: run.field.forward("lb1", on=False))
    run.mark("after", run.contender.heals_s, lambda: run.field.forward("lb1", on=True))


def _haproxy(run: Run) -> None:
    last_s = 3.0 if run.contender.is_ours else NEVER_S
    run.mark("fault", last_s, lambda: run.field.boxes["lb1"].kill("haproxy"))


def _lan_s(run: Run) -> float:
    return run.contender.takes_s + 1.0 if run.contender.moves_for_lan else NEVER_S


FAULTS = (
    Fault("dies", "the holder dies", _dies),
    Fault("planned", "planned move", _moves, fine=True),
    Fault("killed", "daemon killed", _killed, after="... and started again"),
    Fault("stopped", "daemon stopped for 10 s", _stopped, after="... and when it goes on"),
    Fault("link", "heartbeat link cut for 20 s", _link_cut, after="... and when it heals"),
    Fault("carrier", "LAN of the holder lost", _carrier),
    Fault("silent", "LAN of the holder cut silently", _silent, after="... and when it heals"),
    Fault("haproxy", "HAProxy of the holder dies", _haproxy, fine=True, by_requests=True),
)
"""Those that have a field each; the two whole minutes are in ``minutes.py``."""
