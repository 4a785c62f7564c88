"""Shares the seeds of ``stillup simulate`` out over processes.

The processes leave Ctrl-C to the one that gave them work, so that it can say how far it came.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context

from stillup.heartbeat.simulator.campaign import Total, Trials, Violation, attempt, caught_at

CHUNK = 20
AHEAD = 3
"""How many chunks a process has waiting, so that it never waits for one."""


@dataclass(slots=True)
class Campaign:
    """What came of the seeds so far.

    Attributes:
        total: What the trials add up to.
        violation: The one with the lowest seed that was met.
        stopped: Whether a person stopped it.
        took_s: How long it has run.
    """

    total: Total = field(default_factory=Total)
    violation: Violation | None = None
    stopped: bool = False
    took_s: float = 0.0


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def campaign(seeds: range, trials: Trials, jobs: int, tell: Callable[[Campaign], None]) -> Campaign:
    """Run the trials of these seeds, up to the first violation or Ctrl-C.

    Args:
        seeds: They are begun in order.
        trials: What kind.
        jobs: How many processes.
        tell: Called after each chunk with what came of it so far.
    """
    done, begun_s = Campaign(), time.monotonic()
    waiting = (seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK))
    with _pool(jobs) as pool:
        running: set[Future[tuple[Total, Violation | None]]] = set()
        try:
            while True:
                while len(running) < AHEAD * jobs and done.violation is None:
                    chunk = next(waiting, None)
                    if chunk is None:
                        break
                    running.add(pool.submit(attempt, chunk, trials))
                if not running:
                    break
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    _take(done, *future.result())
                done.took_s = time.monotonic() - begun_s
                tell(done)
        except KeyboardInterrupt:
            done.stopped = True
    done.took_s = time.monotonic() - begun_s
    return done


def mutants_caught(names: list[str], most: int, jobs: int) -> Iterator[tuple[str, int | None]]:
    """Yield for each mutant, as it is done, the seed that caught it; None if none did."""
    with _pool(jobs) as pool:
        running = {pool.submit(caught_at, name, most): name for name in names}
        while running:
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                yield running.pop(future), future.result()


def _take(done: Campaign, total: Total, violation: Violation | None) -> None:
    done.total.merge(total)
    if violation and (done.violation is None or violation.seed < done.violation.seed):
        done.violation = violation


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_worker)
    try:
        yield pool
    finally:
        # What is under way ends by itself within a chunk; what waits is not begun.
        pool.shutdown(cancel_futures=True)


def _worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
