"""The program: reads its settings, asks until its standard input ends, writes what became of it.

Its first line of input is ``settings.line``; what it writes is in ``lines``. What was done is
known even when it dies: it writes as it goes, and never waits for its reader.
"""

import gc
import resource
import sys
import time
from datetime import UTC, datetime

from stillup.drill.output import Output
from stillup.drill.told import first_line
from stillup.drill.workload import lines, settings
from stillup.drill.workload.client import Client
from stillup.drill.workload.connection import destination
from stillup.priority import preferred


def main() -> int:
    """Run it; the exit code is 0 when all was asked."""
    told = settings.parsed(first_line(sys.stdin.fileno()))
    to = destination(told.address, told.port, told.host, tls=told.tls)
    _have_room()
    output = Output(sys.stdout.fileno())
    try:
        origin_s, wall = time.monotonic(), datetime.now(UTC)
        output.write(lines.began(lines.Began(wall.isoformat(timespec="seconds"), origin_s)))
        output.flush()
        client = Client(
            told, to, lambda done: output.write(lines.deed(done)), output.flush, origin_s
        )
        lasted_s = client.run(sys.stdin.fileno())
        output.write(lines.ended(lines.Ended(lasted_s, time.process_time())))
        output.drain()
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _have_room() -> None:
    """Have as many files and as much of the processor as may be: who is late measures itself."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    preferred()
    # Nothing here makes cycles that matter, and looking for them takes time.
    gc.collect()
    gc.freeze()
    gc.disable()


if __name__ == "__main__":
    raise SystemExit(main())
