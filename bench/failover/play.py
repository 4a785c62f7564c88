"""Plays one fault on one contender and returns the figures."""

import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from bench.failover.contenders import Contender
from bench.failover.faults import Fault, Run
from bench.failover.field import HERE, VIP, Field, Unready
from bench.failover.measure import both_s, late_s, moves, outage
from bench.failover.ping import LATE_S
from tests.asker import Asked, Asker
from tests.wire import Watcher

BEFORE_S = 0.5
SETTLE_S = 1.5
START_S = 25.0
_numbers = itertools.count(1)


class Client:
    """A program at the client that says it has begun, and writes JSON when it is ended."""

    def __init__(self, field: Field, script: str, words: list[str]) -> None:
        self._output = field.folder / f"{script}.out"
        argv = [*field.enter("client"), sys.executable, str(HERE / f"{script}.py"), *words]
        self._process = subprocess.Popen([*argv, str(self._output)], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError(f"{script} did not start")

    def stop(self) -> dict[str, object]:
        """End it and return what it noted."""
        self._process.terminate()
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()
        told: dict[str, object] = json.loads(self._output.read_text())
        return told


@contextlib.contextmanager
def standing(contender: Contender, engines: Path) -> Iterator[Field]:
    """Yield a field on which a contender's first balancer holds the address."""
    mark = f"sf{next(_numbers)}x{time.time_ns() % 1_000_000}"
    with (
        tempfile.TemporaryDirectory(prefix="stillup-failover-") as folder,
        Field(mark, Path(folder), engines, voters=contender.is_ours) as field,
    ):
        contender.start_all(field)
        field.wait_for_lb1(contender.ready_s + START_S)
        time.sleep(SETTLE_S)
        if not field.has_address("lb1") or field.has_address("lb2"):
            raise Unready("lb1 does not hold the address alone")
        yield field


def play(contender: Contender, fault: Fault, engines: Path) -> dict[str, object]:
    """Return the figures of one run."""
    with standing(contender, engines) as field:
        ports = ["lb1", "lb2"]
        watcher = Watcher(
            field.enter("bridge"), VIP, field.folder / "seen", ports=ports, arp_only=True
        )
        pinger = Client(field, "ping", [VIP])
        asker = stream = None
        if fault.fine:
            url, file = f"http://{VIP}/", field.folder / "asked"
            pace_s = 0.002 if fault.by_requests else 0.005
            asker = Asker(field.enter("client"), url, file, every_s=pace_s)
            stream = None if fault.by_requests else Client(field, "stream", [VIP, "81"])
        time.sleep(BEFORE_S)
        run = Run(field, contender)
        fault.play(run)
        run.marks["end"] = time.monotonic()
        streamed = stream.stop() if stream else None
        asked = asker.stop() if asker else []
        pinged, seen = pinger.stop(), watcher.stop()
    gaps, late = _answers(pinged, asked if fault.by_requests else [])
    found: dict[str, object] = {}
    ends = [*list(run.marks.values())[1:]]
    for (part, from_s), to_s in zip(run.marks.items(), ends, strict=False):
        found[part] = {
            **asdict(outage(gaps, late, from_s, to_s)),
            "both_s": both_s(seen, from_s, to_s),
            "moves": moves(seen, from_s - BEFORE_S / 2, to_s),
            "late_s": late_s(late, from_s, to_s),
        }
    if streamed is not None:
        found["stream"] = streamed
        found["failed"] = sum(bool(each.error) for each in asked)
        found["requests"] = len(asked)
    return found


def _answers(
    pinged: dict[str, object], asked: list[Asked]
) -> tuple[list[list[float]], list[list[float]]]:
    """Return the gaps between answers, and when the client was late and by how much."""
    forever = float("inf")
    if not asked:
        gaps, late = pinged["gaps"], pinged["late"]
        return [*gaps, [pinged["last_s"], forever]], late  # type: ignore[misc,return-value]  # JSON
    good = sorted(each.done_s for each in asked if not each.error)
    gaps = [[a, b] for a, b in itertools.pairwise([*good, forever])]
    return gaps, [[each.due_s + each.late_s, each.late_s] for each in asked if each.late_s > LATE_S]
