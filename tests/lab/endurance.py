"""``python -m tests.lab.endurance``: the long form of what a farm must endure, on one or more farms.

    python -m tests.lab.endurance                        trio.toml and farm.toml, 5 times all off
    python -m tests.lab.endurance --farm trio --all-off 1 --only one

Each server loses its power in turn, then each is cut off in turn, then all lose their power at
once and come back in a random order. Prints a line for each, and ends with code 1 if anything was
broken. Needs root and the lab's image, and takes a quarter of an hour a farm.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.lab.enduring import Enduring, enduring
from tests.lab.running import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.endurance", description=__doc__)
    parser.add_argument("--farm", action="append", help="a farm of examples/ [trio and farm]")
    parser.add_argument("--only", action="append", help="these servers only")
    parser.add_argument("--all-off", type=int, default=5, help="how often all lose their power [5]")
    parser.add_argument("--cuts", type=int, default=99, help="how many are cut off in turn [all]")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    broken: list[str] = []
    for farm in wanted.farm or ("trio", "farm"):
        with tempfile.TemporaryDirectory(prefix="stillup-endurance-") as folder:
            path = ROOT / "examples" / f"{farm}.toml"
            with enduring(path, Path(folder), _say) as enduring_farm:
                broken += _endure(enduring_farm, wanted)
    _say(f"{len(broken)} broken" if broken else "nothing broken")
    return 1 if broken else 0


def _endure(farm: Enduring, wanted: argparse.Namespace) -> list[str]:
    names = wanted.only or farm.names
    _say(f"{farm.running.farm.name}: up, {len(farm.names)} servers")
    broken: list[str] = []
    for name in names:
        broken += _told(farm.lose(name))
    for name in names[: wanted.cuts]:
        broken += _told(farm.cut(name))
    for number in range(wanted.all_off):
        broken += _told(farm.lose_all(wanted.seed + number))
    return broken


def _told(broken: list[str]) -> list[str]:
    for sentence in broken:
        _say(f"  BROKEN: {sentence}")
    return broken


def _say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
