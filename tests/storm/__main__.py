"""``python -m tests.storm --minutes 60 --seed 4711``: random faults on five daemons, two at a time.

Five real daemons in network namespaces, two of them balancers. A watcher on the wire asks every
server every 5 ms who has the address, and hears all announcements: it must never hear two. In
every calm somebody must answer. Exit 1 if not. Needs root.
"""

import argparse
import collections
import shutil
import sys
import tempfile
from pathlib import Path

from tests.netns.farm import LEASE_MS, Farm, built
from tests.storm.play import FIVE, Storm
from tests.storm.verdict import Verdict


def main() -> int:
    told = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="stillup-storm-"))
    farm = Farm(folder, lease_ms=told.lease, servers=FIVE)
    history = told.history or folder / "history"
    storm = Storm(farm, told.seed, 60 * told.minutes, history, _say)
    with built(farm):
        farm.make_whole()
        found = storm.play()
        logs = "" if found.is_kept else "\n".join(farm.log(name) for name in FIVE)
    sys.stderr.write(logs)
    if found.is_kept:
        shutil.rmtree(folder)
    else:
        sys.stderr.write(f"all that was done and heard is in {folder}\n")
    sys.stdout.write(report(storm, found) + "\n")
    return 0 if found.is_kept else 1


def report(storm: Storm, found: Verdict) -> str:
    """Return what happened, in lines."""
    counted = collections.Counter(strike.kind for strike in storm.done)
    lines = [
        f"seed {storm.seed}, {storm.length_s / 60:g} minutes, lease {storm.farm.lease_ms} ms,"
        f" {len(storm.farm.servers)} daemons",
        f"{len(storm.done)} faults:",
        *(f"  {number:5}  {kind}" for kind, number in counted.most_common()),
        f"{found.moves} moves, {found.heard} answers heard on the wire",
        f"longest time without an answer, in the storm: {found.vacancy_s:.2f} s",
        f"{len(storm.calms)} calms, {len(found.unanswered)} of them not answered in all the time",
        f"two answered: {len(found.both)} times, {found.both_s:.3f} s together",
        *(f"  {turn}" for turn in found.both[:20]),
        *(f"  {calm}" for calm in found.unanswered[:20]),
    ]
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="how long [2]")
    parser.add_argument("--seed", type=int, default=1, help="of the faults [1]")
    parser.add_argument("--lease", type=int, default=LEASE_MS, metavar="MS", help="[500]")
    parser.add_argument("--history", type=Path, metavar="FILE", help="keep what was done there")
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
