"""``python -m bench.check``: how long ``stillup check`` takes, beside a Python that does nothing.

As whole processes, in turns. What a person waits for; the bound is 0.4 s.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

from bench.figures import Bound, conclude, median, spread, table

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 0.4
COMMANDS = {
    "stillup check": ["-P", "-m", "stillup", "-f", str(ROOT / "examples" / "farm.toml"), "check"],
    "python -c pass": ["-c", "pass"],
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.check", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="5 rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    arguments = parser.parse_args()
    figures: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(5 if arguments.quick else arguments.rounds):
        for name, words in COMMANDS.items():
            figures[name].append(_took_s(words))
    rows = [["", "median (range)"], *([name, spread(took)] for name, took in figures.items())]
    print(table(rows))
    cpu_s = resource.getrusage(resource.RUSAGE_CHILDREN)
    rounds = len(figures["stillup check"])
    print(f"\nCPU, both together: {(cpu_s.ru_utime + cpu_s.ru_stime) / rounds:.2f} s a round")
    check_s, nothing_s = (median(took) for took in figures.values())
    print(f"stillup check over a Python that does nothing: {check_s / nothing_s:.1f}")
    return conclude(
        [Bound("stillup check", check_s, LIMIT_S, " s")], {"seconds": figures}, arguments.json
    )


def _took_s(words: list[str]) -> float:
    began_s = time.monotonic()
    done = subprocess.run([sys.executable, *words], capture_output=True, check=False)
    took_s = time.monotonic() - began_s
    # check tells weaknesses and still exits 0.
    if done.returncode != 0:
        raise SystemExit(done.stderr.decode())
    return took_s


if __name__ == "__main__":
    raise SystemExit(main())
