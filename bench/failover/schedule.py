"""Runs what is still to run, several fields side by side, and keeps every figure as it comes.

A run that fails is written down as failed and tried once more later; nothing stops the rest.
"""

import concurrent.futures
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.failover import minutes
from bench.failover.contenders import Contender
from bench.failover.faults import FAULTS, Fault
from bench.failover.play import play
from bench.failover.verdicts import NOTHING_S

MINUTES = ("spin", "rest")
# A run whose figures are milliseconds, on a host that paused the client itself for longer
# than this, says nothing; it is measured again.
DISTURBED_S = 0.008
# A minute in which the machine stood still for so long, a third of the shortest lease, is none.
STOOD_STILL_S = 0.05
# What lasted longer than this is no pause of the host.
SHORT_S = 0.3
TRIES = 3
COPIES = 4
"""Fields of each contender in a minute at rest."""
Record = dict[str, object]


@dataclass
class Book:
    """All figures so far; every one is on the disk before the next is made.

    Args:
        path: The file.
        about: What they are figures of; those of something else are left aside.
    """

    path: Path
    about: Record
    records: list[Record] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def resume(self, without: Sequence[str] = ()) -> None:
        """Take over what an interrupted run has measured, but for these rows."""
        if self.path.exists():
            told = json.loads(self.path.read_text())
            if told.get("about") == self.about:
                runs = [one for one in told["runs"] if "error" not in one]
                self.records = [one for one in runs if one["row"] not in without]

    def add(self, record: Record) -> None:
        """Keep a record."""
        with self._lock:
            self.records.append(record)
            ordered = sorted(self.records, key=lambda one: str(one["round"]).zfill(3))
            new = self.path.with_suffix(".new")
            lines = ",\n  ".join(json.dumps(_short(one)) for one in ordered)
            new.write_text(f'{{"about": {json.dumps(self.about)},\n "runs": [\n  {lines}]}}\n')
            new.replace(self.path)

    def has(self, contender: str, fault: str, number: int) -> bool:
        """Return whether a run has been made."""
        wanted = (contender, fault, number)
        return any(
            (one["contender"], one["row"], one["round"]) == wanted and not one.get("disturbed")
            for one in self.records
        )


@dataclass
class Schedule:
    """What is to run.

    Args:
        engines: Where the packages are unpacked.
        parallel: How many fields at once.
        until_s: When no further run may begin.
        say: Told of each run.
    """

    book: Book
    engines: Path
    parallel: int
    until_s: float
    say: Callable[[str], None]
    _done: int = 0
    _all: int = 0
    _began_s: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def faults(self, contenders: Sequence[Contender], faults: Sequence[Fault], rounds: int) -> None:
        """Run every fault on every contender in each round, in turn."""
        # What is counted in milliseconds has few others beside it.
        for fine, parallel in ((True, max(1, 2 * self.parallel // 5)), (False, self.parallel)):
            chosen = [fault for fault in faults if fault.fine == fine]
            jobs = list(self._missing(contenders, chosen, rounds))
            self._all += len(jobs)
            with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
                list(pool.map(lambda job: self._guarded(*job), jobs))

    def minutes(
        self, what: str, contenders: Sequence[Contender], rounds: int, copies: int, lasts_s: float
    ) -> None:
        """Have all contenders, a few copies of each, go through a minute at the same time."""
        for first in range(1, rounds + 1, copies):
            for again in range(TRIES):
                wanted = [
                    (number, contender)
                    for number in range(first, min(first + copies, rounds + 1))
                    for contender in contenders
                    if not self.book.has(contender.name, what, number)
                ]
                if wanted and not self._is_late():
                    self._minute(what, wanted, lasts_s, is_last=again == TRIES - 1)

    def _minute(
        self, what: str, wanted: list[tuple[int, Contender]], lasts_s: float, *, is_last: bool
    ) -> None:
        measured = minutes.spin if what == "spin" else minutes.rest
        self._all += len(wanted)
        try:
            with minutes.together([each for _, each in wanted], self.engines) as stands:
                found = measured(stands, lasts_s)
        except Exception as error:  # noqa: BLE001 - the rest goes on
            found = [{"error": repr(error)} for _ in wanted]
        for (number, contender), figures in zip(wanted, found, strict=True):
            part = figures.get("minute")
            if not is_last and isinstance(part, dict) and _paused(part, STOOD_STILL_S):
                figures["disturbed"] = True
            self._keep(contender.name, what, number, figures)

    def _missing(
        self, contenders: Sequence[Contender], faults: Sequence[Fault], rounds: int
    ) -> Iterator[tuple[int, Fault, Contender]]:
        for number in range(1, rounds + 1):
            for fault in faults:
                for contender in contenders:
                    if not self.book.has(contender.name, fault.key, number):
                        yield number, fault, contender

    def _guarded(self, number: int, fault: Fault, contender: Contender) -> None:
        for again in range(TRIES):
            if self._is_late():
                return
            began_s = time.monotonic()
            try:
                found = play(contender, fault, self.engines)
            except Exception as error:  # noqa: BLE001 - the rest goes on
                found = {"error": repr(error)}
            found["took_s"] = round(time.monotonic() - began_s, 1)
            is_last = again == TRIES - 1
            if not is_last and _is_disturbed(fault, found):
                found["disturbed"] = True
            self._keep(contender.name, fault.key, number, found)
            if not found.get("disturbed") and "error" not in found:
                return

    def _keep(self, contender: str, fault: str, number: int, found: Record) -> None:
        self.book.add({"round": number, "contender": contender, "row": fault, **found})
        with self._lock:
            self._done += 1
            at_s = time.monotonic() - self._began_s
            where = f"[{self._done}/{self._all}] {at_s // 60:02.0f}:{at_s % 60:02.0f}"
            told = json.dumps(_short(found))
            self.say(f"{where} round {number} {contender}: {fault}: {told[:230]}")

    def _is_late(self) -> bool:
        return time.monotonic() > self.until_s


def chosen_faults(keys: Sequence[str]) -> list[Fault]:
    """Return the faults with these keys; all if none is named."""
    return [fault for fault in FAULTS if not keys or fault.key in keys]


def _is_disturbed(fault: Fault, found: Record) -> bool:
    """Whether this host, and not the contender, may have made what was seen."""
    if fault.fine:
        part = found.get("fault")
        return isinstance(part, dict) and part["lasted_s"] < SHORT_S and _paused(part, DISTURBED_S)
    quiet = [found.get("after"), found.get("fault") if fault.key == "link" else None]
    return any(
        isinstance(part, dict)
        and NOTHING_S < part["lasted_s"] < SHORT_S
        and _paused(part, NOTHING_S / 2)
        for part in quiet
    )


def _paused(part: dict[str, float], for_s: float) -> bool:
    return part["late_s"] > for_s


def _short(value: object) -> object:
    """Return the same with numbers of four digits after the point."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    return value
