"""``python -m bench.failover``: our heartbeat beside heartbeat, keepalived and ucarp, fault for fault.

Each run has a field of its own: two balancers with a real HAProxy each, in namespaces of
their own (net, mount, pid, uts, ipc), a LAN, a link between the two, and a client that asks the virtual
IP every 2 ms; ours has three servers more that vote. The others are Debian's own packages, unpacked
into a cache folder; nothing is installed on this host. Writes failover.md, .svg and .json. Goes on
where an interrupted run ended. Exit 3 if ours broke a promise, 4 if something was not measured. Root.
"""

import argparse
import os
import shlex
import sys
import tempfile
import time
from pathlib import Path

from bench import debian
from bench.failover import machine, picture, report
from bench.failover.contenders import PACKAGES, Contender, contenders, copied
from bench.failover.faults import FAULTS
from bench.failover.schedule import COPIES, MINUTES, Book, Record, Schedule, chosen_faults

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    told = _arguments()
    if os.geteuid() != 0:
        sys.stderr.write("bench/failover: network namespaces need root\n")
        return 2
    engines = debian.unpacked(debian.cache("bench-failover"), "engines", PACKAGES)
    with tempfile.TemporaryDirectory(prefix="stillup-failover-code-") as folder:
        source = copied(told.source.resolve(), Path(folder))
        everybody = contenders(source)
        about = _about(told, engines, source)
        book = Book(told.out / "failover.json", about)
        told.out.mkdir(parents=True, exist_ok=True)
        if not told.fresh or told.fault:
            book.resume(without=told.fault if told.fresh else ())
            _say(f"{len(book.records)} runs are there already")
        wanted = [each for each in everybody if not told.only or each.name in told.only]
        try:
            if not told.report_only:
                _run(told, book, engines, wanted)
        except KeyboardInterrupt:
            _say("interrupted: the same command goes on from here")
    return _write(told.out, book, everybody)


def _run(told: argparse.Namespace, book: Book, engines: Path, wanted: list[Contender]) -> None:
    until_s = time.monotonic() + 60 * told.minutes
    schedule = Schedule(book, engines, told.parallel, until_s, _say)
    keys = [key for key in told.fault if key not in MINUTES]
    minutes = [key for key in MINUTES if key in told.fault or not told.fault]
    for what in minutes:
        # Eight processes are to spin beside one farm of each, not beside several.
        copies = 1 if what == "spin" else told.copies
        schedule.minutes(what, wanted, told.rounds, copies, 10.0 if told.quick else 60.0)
    if keys or not told.fault:
        schedule.faults(wanted, chosen_faults(keys), told.rounds)


def _write(out: Path, book: Book, everybody: list[Contender]) -> int:
    verdicts = report.verdicts(book.records)
    (out / "failover.md").write_text(report.page(book.about, book.records, everybody, verdicts))
    (out / "failover.svg").write_text(picture.drawn(book.records, everybody))
    for verdict in verdicts:
        sys.stdout.write(f"{verdict}\n")
    if any(verdict.kept is False for verdict in verdicts):
        return 3
    return 4 if any(verdict.kept is None for verdict in verdicts) else 0


def _about(told: argparse.Namespace, engines: Path, source: Path) -> Record:
    """Return what the figures are of: other figures are not mixed with them."""
    words = [
        "python",
        "-m",
        "bench.failover",
        "--parallel",
        str(told.parallel),
        "--rounds",
        str(told.rounds),
    ]
    words += ["--quick"] if told.quick else []
    return {
        "command": shlex.join(words),
        "machine": machine.words(),
        "packages": debian.versions(engines, PACKAGES),
        "ours": machine.digest(source),
        "python": machine.python_version(),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.failover", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="runs of each fault [7]")
    parser.add_argument("--parallel", type=int, default=10, help="fields side by side [10]")
    parser.add_argument(
        "--copies", type=int, default=COPIES, help=f"of each in a minute at rest [{COPIES}]"
    )
    parser.add_argument("--minutes", type=float, default=600.0, help="begin no run after [600]")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a contender")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        choices=[*(fault.key for fault in FAULTS), *MINUTES],
        help="a row of the table",
    )
    parser.add_argument("--source", type=Path, default=ROOT, help="a working tree: whose daemon")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks")
    parser.add_argument(
        "--fresh", action="store_true", help="forget what was measured before, of these rows"
    )
    parser.add_argument("--report-only", action="store_true", help="write the page anew")
    parser.add_argument("--quick", action="store_true", help="a round, the minutes of 10 s")
    told = parser.parse_args()
    if told.quick:
        told.rounds = told.copies = 1
    return told


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
