"""``python -m bench.heartbeat``: what the daemon costs at rest, beside keepalived, in one run.

Six servers as in the example (two balancers, four that only vote), at the default lease; two
pairs of keepalived, one as it comes and one at 50 ms, whose failover is as fast as ours with
a lease of 150 ms. All of them run at the same time, on one bridge, and are measured over the
same minute: processor time and memory of every process, as the kernel counts them.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from bench import debian
from bench.figures import Bound, conclude, table
from bench.heartbeat import keepalived
from bench.heartbeat.cost import Cost, cost
from bench.heartbeat.space import Spaces

from stillup.errors import ServerFailed
from stillup.heartbeat.control import ask

ROOT = Path(__file__).resolve().parents[2]
LEASE_MS = 500
BALANCERS = {"lb1": "10.0.0.2", "lb2": "10.0.0.3"}
SERVERS = {**BALANCERS, **{f"s{n}": f"10.0.0.{n}" for n in range(4, 8)}}
RIVALS = {"ka1": "10.0.0.11", "ka2": "10.0.0.12", "kf1": "10.0.0.13", "kf2": "10.0.0.14"}
RSS_MB = 30.0
CPU_S_A_MINUTE = 1.0
SETTLE_S = 30.0

# Stands for HAProxy: the daemon watches its process and asks it whether it is alive.
ALIVE = """\
import http.server, sys
class Alive(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *words): pass
server = http.server.HTTPServer(("127.0.0.1", 8405), Alive)
open(sys.argv[1], "w").write(str(__import__("os").getpid()))
server.serve_forever()
"""


def main() -> int:
    arguments = _arguments()
    lasts_s = 10.0 if arguments.quick else arguments.seconds
    root = debian.unpacked(debian.cache("bench-heartbeat"), "keepalived", ["keepalived"])
    mark = f"sb{os.getpid()}"
    with (
        tempfile.TemporaryDirectory(prefix="stillup-bench-") as folder,
        Spaces(mark, SERVERS | RIVALS) as spaces,
        contextlib.ExitStack() as processes,
    ):
        pids = _start(Path(folder), spaces, root, processes)
        _settle(Path(folder))
        before = {name: cost(pid) for name, pid in pids.items()}
        began_s = time.monotonic()
        print(f"measuring for {lasts_s:g} s", file=sys.stderr, flush=True)
        time.sleep(lasts_s)
        took_s = time.monotonic() - began_s
        spent = {name: cost(pid).since(before[name]) for name, pid in pids.items()}
        _settle(Path(folder))
    return _conclude(spent, took_s, arguments.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.heartbeat", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long [60]")
    parser.add_argument("--quick", action="store_true", help="10 seconds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args()


def _python() -> str:
    """Return Debian's Python, which the servers run it with; else the one this runs with."""
    return "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable


def _start(
    folder: Path, spaces: Spaces, root: Path, processes: contextlib.ExitStack
) -> dict[str, int]:
    """Start everything; return the process of each daemon by name."""
    (folder / "key").touch(0o600)
    (folder / "key").write_text("a key for this bench only\n")
    pids = {}

    def keep(process: "subprocess.Popen[bytes]") -> int:
        processes.callback(_end, process)
        return process.pid

    for name in BALANCERS:
        pid_file = folder / f"{name}.alive"
        words = [_python(), "-c", ALIVE, str(pid_file)]
        keep(subprocess.Popen([*spaces.enter(name), *words]))
        _wait(lambda pid_file=pid_file: pid_file.exists(), "what stands for HAProxy")  # type: ignore[misc] # bound now, called at once
    for name in SERVERS:
        settings = folder / f"{name}.json"
        settings.write_text(json.dumps(_settings(folder, name)))
        words = [_python(), "-s", "-P", "-m", "stillup.heartbeat", "run", "--config", str(settings)]
        words += ["--control", str(folder / f"{name}.sock")]
        with (folder / f"{name}.log").open("wb") as log:
            environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
            started = [*spaces.enter(name), *words]
            pids[name] = keep(subprocess.Popen(started, stderr=log, env=environment))
    for number, name in enumerate(RIVALS):
        interval = "1" if name.startswith("ka") else "0.05"
        enter = spaces.enter(name)
        pids[name] = keep(
            keepalived.start(root, enter, folder, name, interval=interval, number=number % 2)
        )
    return pids


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _settings(folder: Path, name: str) -> dict[str, object]:
    watch = {"pid_file": str(folder / f"{name}.alive"), "check": "http://127.0.0.1:8405/alive"}
    return {
        "farm": "bench",
        "name": name,
        "key_file": str(folder / "key"),
        "lease_ms": LEASE_MS,
        "candidates": list(BALANCERS),
        "voters": SERVERS,
        "vips": [{"address": "10.0.0.1", "prefix": 24, "preferred": "lb1"}],
        "address": SERVERS[name],
        "interface": "eth0",
        "watch": watch if name in BALANCERS else None,
    }


def _settle(folder: Path) -> None:
    """Wait until the farm stands: one that did not hold all the time was not measured at rest."""

    def stands() -> bool:
        try:
            told = {n: ask(folder / f"{n}.sock", {"op": "status"}) for n in SERVERS}
        except ServerFailed:
            return False
        return told["lb1"]["holding"] == ["10.0.0.1"] and told["lb2"]["healthy"] is True

    _wait(stands, "lb1 to hold the address")


def _wait(true: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + SETTLE_S
    while not true():
        if time.monotonic() > until_s:
            raise SystemExit(f"waited {SETTLE_S:g} s in vain for {what}")
        time.sleep(0.05)


def _rows(spent: dict[str, Cost], took_s: float) -> Iterator[list[str]]:
    names = {
        "lb1": "stillup, holder",
        "lb2": "stillup, standby",
        "s4": "stillup, voter",
        "ka1": "keepalived, master",
        "ka2": "keepalived, backup",
        "kf1": "keepalived 50 ms, master",
        "kf2": "keepalived 50 ms, backup",
    }
    yield ["", "memory MB (RSS)", "own share MB (PSS)", "CPU s a minute"]
    for name, words in names.items():
        one = spent[name]
        memory = [f"{size / 1e6:.1f}" for size in (one.rss_bytes, one.pss_bytes)]
        yield [words, *memory, f"{one.cpu_s * 60 / took_s:.3f}"]


def _conclude(spent: dict[str, Cost], took_s: float, path: Path | None) -> int:
    ours, theirs = spent["lb1"], spent["ka1"]
    print(f"over {took_s:.0f} s, all at once\n\n{table(list(_rows(spent, took_s)))}\n")
    print(
        f"our holder's memory over keepalived's master's: {ours.rss_bytes / theirs.rss_bytes:.1f}"
    )
    print(f"our holder's CPU over keepalived's master's: {ours.cpu_s / theirs.cpu_s:.1f}")
    fast = spent["kf1"]
    print(f"our holder's CPU over that of keepalived at 50 ms: {ours.cpu_s / fast.cpu_s:.1f}")
    bounds = [
        Bound("the holder's memory", ours.rss_bytes / 1e6, RSS_MB, " MB"),
        Bound("the holder's CPU a minute", ours.cpu_s * 60 / took_s, CPU_S_A_MINUTE, " s"),
    ]
    figures = {"seconds": took_s, "daemons": {name: asdict(one) for name, one in spent.items()}}
    return conclude(bounds, figures, path)


if __name__ == "__main__":
    raise SystemExit(main())
