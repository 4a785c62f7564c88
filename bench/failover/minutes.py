"""The two whole minutes: at rest, and with eight processes spinning; all contenders at once."""

import concurrent.futures
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.failover.box import children
from bench.failover.contenders import Contender
from bench.failover.field import BALANCERS, VIP, Field
from bench.failover.measure import both_s, moves
from bench.failover.play import standing
from bench.heartbeat.cost import Cost, cost
from tests.wire import Watcher

SPINNING = 8
PRIORITY = "99"
# Wakes every 5 ms before everything else on this machine: if that is late, the machine stood still.
WITNESS = """
import signal, sys, time
going = [True]
signal.signal(signal.SIGTERM, lambda *_: going.clear())
worst_s, due_s = 0.0, time.monotonic()
while going:
    due_s = max(due_s + 0.005, time.monotonic())
    time.sleep(max(0.0, due_s - time.monotonic()))
    worst_s = max(worst_s, time.monotonic() - due_s)
print(worst_s)
"""
Figures = dict[str, object]


@dataclass(frozen=True)
class Stand:
    """One contender at one time; why it could not be had, or its field."""

    contender: Contender
    field: Field | None
    error: str = ""


@contextlib.contextmanager
def together(contenders: Sequence[Contender], engines: Path) -> Iterator[list[Stand]]:
    """Yield a standing field for each contender; they are made at the same time."""
    with contextlib.ExitStack() as fields:
        with concurrent.futures.ThreadPoolExecutor(len(contenders)) as pool:

            def make(contender: Contender) -> tuple[Stand, Callable[[], object]]:
                context = standing(contender, engines)
                try:
                    field = context.__enter__()
                except Exception as error:  # noqa: BLE001 - one that fails stops no other
                    return Stand(contender, None, repr(error)), lambda: None
                return Stand(contender, field), lambda: context.__exit__(None, None, None)

            made = list(pool.map(make, contenders))
        for _, leave in made:
            fields.callback(leave)
        yield [stand for stand, _ in made]


def rest(stands: Sequence[Stand], lasts_s: float) -> list[Figures]:
    """Return what each balancer's daemon cost while nothing happened."""
    before = [_costs(stand) for stand in stands]
    began_s = time.monotonic()
    time.sleep(lasts_s)
    took_s = time.monotonic() - began_s
    return [_spent(then, _costs(stand), took_s) for stand, then in zip(stands, before, strict=True)]


def spin(stands: Sequence[Stand], lasts_s: float) -> list[Figures]:
    """Return how often the address moved while eight processes spun."""
    watchers = [_watcher(stand) for stand in stands]
    words = [sys.executable, "-c", "while True: pass"]
    first = ["chrt", "--fifo", PRIORITY, sys.executable, "-c", WITNESS]
    witness = subprocess.Popen(first, stdout=subprocess.PIPE)
    spinning = [subprocess.Popen(words) for _ in range(SPINNING)]
    try:
        from_s = time.monotonic()
        time.sleep(lasts_s)
        to_s = time.monotonic()
    finally:
        for process in spinning:
            process.kill()
            process.wait()
        witness.terminate()
        late_s = float(witness.communicate()[0] or 0.0)
    found: list[Figures] = []
    for stand, watcher in zip(stands, watchers, strict=True):
        seen = watcher.stop() if watcher else []
        if not seen:
            found.append({"error": stand.error or "nobody answered"})
            continue
        figures = {"moves": moves(seen, from_s, to_s), "both_s": both_s(seen, from_s, to_s)}
        found.append({"minute": {**figures, "late_s": late_s}})
    return found


def _watcher(stand: Stand) -> Watcher | None:
    if stand.field is None:
        return None
    where, seen = stand.field.enter("bridge"), stand.field.folder / "seen"
    return Watcher(where, VIP, seen, ask_s=0.02, ports=list(BALANCERS), arp_only=True)


def _costs(stand: Stand) -> dict[str, tuple[Cost, int]]:
    if stand.field is None:
        return {}
    found = {}
    for name, box in stand.field.boxes.items():
        pid = children(box.processes["daemon"].pid)[0]
        found[name] = (cost(pid), stand.field.sent(name))
    return found


def _spent(
    before: dict[str, tuple[Cost, int]], after: dict[str, tuple[Cost, int]], took_s: float
) -> Figures:
    if not before:
        return {"error": "it did not stand"}
    found: Figures = {}
    for name, (spent, sent) in after.items():
        found[name] = {
            "cpu_s_a_minute": spent.since(before[name][0]).cpu_s * 60 / took_s,
            "rss_mb": spent.rss_bytes / 1e6,
            "pss_mb": spent.pss_bytes / 1e6,
            "packets_a_second": (sent - before[name][1]) / took_s,
        }
    return found
