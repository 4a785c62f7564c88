"""``python -m bench.apply``: stillup, Ansible and pyinfra do the same work on six machines.

Two situations, each for all three in turns, so that what else the machine does hits all alike:

    unchanged   everything is as it should be
    one file    on every server one file was changed by hand, and is put right

See README.md for what is the same and what is not.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from bench.apply.with_ansible import Ansible
from bench.apply.with_pyinfra import Pyinfra
from bench.apply.work import Work, harmless_file, works
from bench.figures import Bound, conclude, median, spread, table

from stillup.lab.network import client_network
from stillup.lab.state import Home, home_of

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
LIMIT_S = 600.0
OF_ANSIBLE = 1 / 5
OF_PYINFRA = 1 / 3


class Tool(Protocol):
    """One of the three."""

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    def command(self) -> list[str]: ...
    def environment(self) -> dict[str, str]: ...
    def changed(self, output: str) -> int: ...


class Stillup:
    """Ours: the command as a person types it, with its whole round of checks."""

    name = "stillup"

    def __init__(self, farm_path: Path) -> None:
        self._farm_path = farm_path

    @property
    def folder(self) -> Path:
        return self._farm_path.parent

    def command(self) -> list[str]:
        words = ["--lab", "apply", "--overwrite"]
        return [sys.executable, "-P", "-m", "stillup", "-f", str(self._farm_path), *words]

    def environment(self) -> dict[str, str]:
        return {}

    def changed(self, output: str) -> int:
        """Return how many things were changed on all servers together."""
        return sum(int(count) for count in re.findall(r"(\d+) changes? to make", output))


def main() -> int:
    arguments = _arguments()
    rounds = 1 if arguments.quick else arguments.rounds
    venv = _venv()
    with _lab() as farm_path, tempfile.TemporaryDirectory(prefix="stillup-bench-") as scratch:
        home = home_of(None, farm_path)
        work = works(farm_path)
        tools = _tools(Path(scratch), venv, farm_path, home, work)
        path = harmless_file(farm_path)
        _say(f"{_counted(work)}; changed by hand is {path}")
        figures: dict[str, dict[str, list[float]]] = {"unchanged": {}, "one file": {}}
        _warm_up(tools, home)
        for number in range(rounds):
            turn = tools[number % len(tools) :] + tools[: number % len(tools)]
            for tool in turn:
                _measure(figures["unchanged"], tool, home, 0)
            for tool in turn:
                _change_by_hand(home, work, path)
                _measure(figures["one file"], tool, home, len(work))
    return _conclude(figures, rounds, arguments.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.apply", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args()


def _venv() -> Path:
    """Return an environment with Ansible and pyinfra; made once for each requirements file."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    venv = cache / "stillup" / f"bench-apply-{digest}"
    if not (venv / "complete").exists():
        _say(f"installing Ansible and pyinfra into {venv}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-q"]
        options = ["--disable-pip-version-check", "--require-hashes", "-r", str(REQUIREMENTS)]
        subprocess.run([*pip, *options], check=True)
        (venv / "complete").touch()
    return venv


@contextmanager
def _lab() -> Iterator[Path]:
    """Boot and apply six machines, in a lab of the bench's own."""
    with tempfile.TemporaryDirectory(prefix="stillup-bench-farm-") as folder:
        farm_path = Path(folder) / "farm.toml"
        shutil.copy(ROOT / "tests/farms/six.toml", farm_path)
        shutil.copytree(ROOT / "examples/site", farm_path.with_name("site"))
        stillup = [sys.executable, "-P", "-m", "stillup", "-f", str(farm_path)]
        _say("booting six machines and applying the farm file")
        try:
            subprocess.run([*stillup, "lab", "up"], check=True, stdout=subprocess.DEVNULL)
            waited = [*stillup, "--lab", "status", "--wait", "60"]
            subprocess.run(waited, check=True, stdout=subprocess.DEVNULL)
            yield farm_path
        finally:
            subprocess.run([*stillup, "lab", "down"], check=False, stdout=subprocess.DEVNULL)


def _tools(
    scratch: Path, venv: Path, farm_path: Path, home: Home, work: Sequence[Work]
) -> list[Tool]:
    ansible = Ansible(scratch / "ansible", venv, home.key, home.known_hosts)
    pyinfra = Pyinfra(scratch / "pyinfra", venv, home.key, home.known_hosts)
    ansible.write(work)
    pyinfra.write(work)
    return [Stillup(farm_path), ansible, pyinfra]


def _counted(work: Sequence[Work]) -> str:
    files = sum(len(one.files) + len(one.code) for one in work)
    units, sysctls = sum(len(one.units) for one in work), sum(len(one.sysctls) for one in work)
    return f"{files} files, {units} units and {sysctls} sysctls on {len(work)} servers"


def _measure(figures: dict[str, list[float]], tool: Tool, home: Home, changes: int) -> None:
    """Run a tool once, and see that it found as many changes as there were."""
    output, took_s = _run(tool, home)
    if tool.changed(output) != changes:
        raise SystemExit(f"{tool.name} should change {changes} things:\n{output[-4000:]}")
    figures.setdefault(tool.name, []).append(took_s)
    _say(f"{tool.name}: {took_s:.2f} s, {changes} changes")


def _run(tool: Tool, home: Home) -> tuple[str, float]:
    """Run a tool once; return what it said and how long it took."""
    inside = [] if tool.name == "stillup" else ["nsenter", f"--net={client_network(home)}"]
    began_s = time.monotonic()
    done = subprocess.run(
        [*inside, *tool.command()],
        cwd=tool.folder,
        env=os.environ | tool.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    took_s = time.monotonic() - began_s
    if done.returncode != 0:
        raise SystemExit(f"{tool.name} failed:\n{done.stdout[-4000:]}")
    return done.stdout, took_s


def _warm_up(tools: Sequence[Tool], home: Home) -> None:
    """Run each once, unmeasured: connections open, what each keeps is there.

    Ansible takes over the times of the files in its archive here.
    """
    for tool in tools:
        _run(tool, home)


def _change_by_hand(home: Home, work: Sequence[Work], path: str) -> None:
    """Add a line to a file on every server, as somebody would."""
    network = client_network(home)
    keys = ["-i", str(home.key), "-o", f"UserKnownHostsFile={home.known_hosts}"]
    for one in work:
        ssh = ["nsenter", f"--net={network}", "ssh", *keys, f"root@{one.address}"]
        subprocess.run([*ssh, f"echo '// by hand' >>{path}"], check=True, timeout=30)


def _conclude(figures: dict[str, dict[str, list[float]]], rounds: int, path: Path | None) -> int:
    rows = [["", *figures, "of ansible", "of pyinfra"]]
    for name in ("stillup", "ansible", "pyinfra"):
        times = [spread(figures[situation][name]) for situation in figures]
        rows.append([name, *times, *(_ratios(figures, name, other) for other in rows[0][-2:])])
    print(f"\nwall time, median of {rounds}\n\n{table(rows)}")
    bounds = []
    for situation, by_tool in figures.items():
        ours_s = median(by_tool["stillup"])
        for other, limit in (("ansible", OF_ANSIBLE), ("pyinfra", OF_PYINFRA)):
            share = ours_s / median(by_tool[other])
            bounds.append(Bound(f"{situation}, stillup's time over {other}'s", share, limit))
    return conclude(bounds, {"rounds": rounds, "seconds": figures}, path)


def _ratios(figures: dict[str, dict[str, list[float]]], name: str, column: str) -> str:
    other = column.rpartition(" ")[2]
    shares = [median(by[name]) / median(by[other]) for by in figures.values()]
    return ", ".join(f"{share:.2f}" for share in shares)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
