"""``python -m bench.storage``: 2,000 small PHP files, on local disk and on the shared storage.

Boots a farm with two storage servers (Gluster) and the old recipe's (NFS) one after the other, and on a web server of
each works in a local folder and in the shared one in turns. What counts is the ratio of the two
on the same machine: where the host's kernel has no NFS the recipe's web servers are User-Mode
Linux, whose local disk is slower as well.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.figures import Bound, conclude, median, spread, table

from stillup.lab.lab import down
from stillup.lab.state import home_of

ROOT = Path(__file__).resolve().parents[2]
WORK = Path(__file__).with_name("small_files.py")
LIMIT_S = 1800.0
WARM = "read, again"
OF_LOCAL = 20.0
"""A warm read of a shared file, by that of a local one: PHP opens such a file once a request."""

FARM = f"""\
[farm]
name = "bench-storage"
[network]
lan = "10.0.0.0/24"
[vip]
addresses = ["10.0.0.1"]
[site]
hosts = ["bench.example"]
source = "{ROOT}/examples/site"
shared = ["uploads"]
[tls]
enabled = false
[servers]
lb1  = {{ address = "10.0.0.2", roles = ["balancer"] }}
web1 = {{ address = "10.0.0.4", roles = ["web", "database"] }}
st1  = {{ address = "10.0.0.6", roles = ["storage"] }}
"""
SECOND = 'st2  = { address = "10.0.0.7", roles = ["storage"] }\n'
KINDS = {"Gluster": FARM + SECOND, "NFS": FARM}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.storage", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--only", choices=sorted(KINDS), help="only one kind of storage")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    arguments = parser.parse_args()
    rounds = 1 if arguments.quick else arguments.rounds
    kinds = [arguments.only] if arguments.only else list(KINDS)
    figures = {kind: measured(kind, rounds) for kind in kinds}
    for kind, took in figures.items():
        print(f"\n{kind}, {rounds} rounds\n{table(rows(took))}")
    bounds = [
        Bound(f"{kind}: {WARM}, by local disk", ratio(took, WARM), OF_LOCAL)
        for kind, took in figures.items()
    ]
    return conclude(bounds, figures, arguments.json)


def rows(took: Mapping[str, Mapping[str, list[float]]]) -> list[list[str]]:
    head = ["2,000 files of 2 kB", "local", "shared", "ratio"]
    return [
        head,
        *(
            [what, spread(local), spread(took["shared"][what]), f"{ratio(took, what):.1f}"]
            for what, local in took["local"].items()
        ),
    ]


def ratio(took: Mapping[str, Mapping[str, list[float]]], what: str) -> float:
    return median(took["shared"][what]) / median(took["local"][what])


def measured(kind: str, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Boot the farm, work on its first web server, take it down."""
    with tempfile.TemporaryDirectory(prefix="stillup-bench-") as folder:
        farm_path = Path(folder) / "farm.toml"
        farm_path.write_text(KINDS[kind])
        try:
            for words in (["lab", "up"], ["--lab", "apply"], ["--lab", "release"]):
                stillup(farm_path, *words)
            shell = ["lab", "shell", "web1", "--"]
            stillup(farm_path, *shell, "mkdir", "-p", "/srv/bench")
            program = ["python3", "-c", WORK.read_text(), str(rounds)]
            told = stillup(farm_path, *shell, *program, "/srv/bench", "/srv/shared/uploads")
        finally:
            down(home_of("bench-storage", farm_path))
    found: dict[str, dict[str, list[float]]] = json.loads(told)
    return found


def stillup(farm_path: Path, *words: str) -> str:
    command = [sys.executable, "-P", "-m", "stillup", "-f", str(farm_path), *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=LIMIT_S, check=True)
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
