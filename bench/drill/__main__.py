"""``python -m bench.drill``: what 530 requests a second cost the drills' workload, beside the lab's asker.

A real nginx in a network namespace answers as the probe pages do, so that what is measured is the
client: how late it is itself, and how much of a core it takes. The three take turns on the same
minutes: the workload as it is, the workload over TLS, and ``stillup.lab.asker`` at 500 a second.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench import debian
from bench.figures import Bound, conclude, median, table
from bench.heartbeat.space import Spaces

from stillup.drill.history import Kind, Outcome
from stillup.drill.workload.settings import Settings, path
from stillup.drill.workload.start import working

ADDRESS, CLIENT = "10.0.0.4", "10.0.0.9"
TOKEN = "0" * 32
HOST = "shop.example"
ROUNDS = 3
LATE_P99_MS = 50.0
"""Beyond it a drill is called unknown."""
SHARE = 0.6
RATE = 500.0

NGINX = """\
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 8192; }}
http {{
    access_log off; client_body_temp_path {folder}; fastcgi_temp_path {folder};
    proxy_temp_path {folder}; scgi_temp_path {folder}; uwsgi_temp_path {folder};
    keepalive_requests 100000; default_type text/plain;
    server {{
        listen {address}:80 backlog=4096; listen {address}:443 ssl backlog=4096;
        ssl_certificate {folder}/site.pem; ssl_certificate_key {folder}/site.pem;
        location ~ ^{path}(page|row|file)$ {{ return 200 "$1 $arg_n of {token}\\n"; }}
        location = {path}session {{ return 200 "session 1 of {token}\\n"; }}
        location = {path}download {{ alias {folder}/download; }}
    }}
}}
"""


@dataclass(frozen=True)
class Took:
    """What one run showed; lateness in milliseconds, the share of one core."""

    per_s: float
    failed: int
    late_p50_ms: float
    late_p99_ms: float
    late_max_ms: float
    share: float


def main() -> int:
    arguments = _arguments()
    if arguments.seconds < 1:
        raise SystemExit("a run of less than a second says nothing")
    root = debian.unpacked(debian.cache("bench-drill"), "nginx", ["nginx-light"])
    mark = f"bd{os.getpid()}"
    found: dict[str, list[Took]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="stillup-bench-") as folder,
        Spaces(mark, {"web": ADDRESS, "client": CLIENT}) as spaces,
        _nginx(root, Path(folder), spaces.enter("web")),
    ):
        inside = spaces.enter("client")
        for number in range(arguments.rounds):
            for name in ("workload", "workload, TLS", "lab.asker"):
                print(f"round {number + 1}: {name}", file=sys.stderr, flush=True)
                took = _run(name, inside, arguments.seconds)
                found.setdefault(name, []).append(took)
    return _conclude(found, arguments.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.drill", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run [10]")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"[{ROUNDS}]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args()


@contextmanager
def _nginx(root: Path, folder: Path, enter: Sequence[str]) -> Iterator[None]:
    os.truncate(os.open(folder / "download", os.O_CREAT | os.O_WRONLY), 64 << 20)
    words = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]
    files = ["-subj", f"/CN={HOST}", "-keyout", str(folder / "key"), "-out", str(folder / "pem")]
    subprocess.run(["openssl", *words, *files], check=True, capture_output=True)
    site = folder / "site.pem"
    site.write_text((folder / "key").read_text() + (folder / "pem").read_text())
    config = folder / "nginx.conf"
    values = {"folder": folder, "address": ADDRESS, "path": path(TOKEN), "token": TOKEN}
    config.write_text(NGINX.format(**values))
    # Its workers are nobody's, who must be able to read the download.
    folder.chmod(0o755)
    started = [*enter, str(root / "usr/sbin/nginx"), "-c", str(config), "-p", str(folder)]
    environment = {**os.environ, "LD_LIBRARY_PATH": debian.libraries(root)}
    process = subprocess.Popen(started, env=environment)
    try:
        until_s = time.monotonic() + 10
        while not (folder / "pid").exists() or not (folder / "pid").read_text():
            if process.poll() is not None or time.monotonic() > until_s:
                raise SystemExit(f"nginx did not start: {(folder / 'error.log').read_text()}")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait()


def _run(name: str, inside: Sequence[str], seconds: float) -> Took:
    if name == "lab.asker":
        return _asker(inside, seconds)
    settings = Settings(ADDRESS, HOST, TOKEN)
    if "TLS" in name:
        loads = {**settings.loads}
        # As ``of_farm`` has it for a farm with TLS.
        loads[Kind.NEW], loads[Kind.KEPT] = (
            replace(loads[kind], per_s=per_s) for kind, per_s in ((Kind.NEW, 50), (Kind.KEPT, 350))
        )
        settings = replace(settings, port=443, tls=True, loads=loads)
    with working(settings, lambda words: [*inside, *words]) as load:
        time.sleep(seconds)
        worked = load.stop()
    failed = sum(deed.outcome is not Outcome.DONE for deed in worked.deeds)
    late_s = [deed.sent_s - deed.due_s for deed in worked.deeds]
    return _took(late_s, failed, worked.lasted_s, worked.cpu_s)


def _asker(inside: Sequence[str], seconds: float) -> Took:
    words = [sys.executable, "-P", "-m", "stillup.lab.asker", ADDRESS, HOST]
    words += [f"{path(TOKEN)}page?n=1", str(1 / RATE), "5"]
    before_s = _children_s()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([*inside, *words], stdin=subprocess.PIPE, stdout=output)
        time.sleep(seconds)
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        cpu_s = _children_s() - before_s
        output.seek(0)
        answers = [json.loads(line) for line in output]
    lasted_s = answers[-1][0] - answers[0][0]
    failed = sum(answer[3] != "200" for answer in answers)
    return _took([answer[1] - answer[0] for answer in answers], failed, lasted_s, cpu_s)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _took(late_s: Sequence[float], failed: int, lasted_s: float, cpu_s: float) -> Took:
    late = sorted(each * 1000 for each in late_s)
    p50, p99 = (late[int(len(late) * share)] for share in (0.5, 0.99))
    return Took(len(late) / lasted_s, failed, p50, p99, late[-1], cpu_s / lasted_s)


def _conclude(found: dict[str, list[Took]], output: Path | None) -> int:
    head = ["", "requests/s", "failed", "late p50 ms", "p99", "max", "of a core", "us a request"]
    rows = [head]
    for name, runs in found.items():
        middle = {key: median([asdict(run)[key] for run in runs]) for key in asdict(runs[0])}
        cost_us = middle["share"] / middle["per_s"] * 1e6
        late = [f"{middle[key]:.2f}" for key in ("late_p50_ms", "late_p99_ms", "late_max_ms")]
        counts = [f"{middle['per_s']:.0f}", f"{middle['failed']:.0f}"]
        rows.append([name, *counts, *late, f"{middle['share']:.0%}", f"{cost_us:.0f}"])
    print(f"medians of {len(runs)} runs each, in turns\n\n{table(rows)}")
    bounds = []
    for name in ("workload", "workload, TLS"):
        runs = found[name]
        late_ms = median([run.late_p99_ms for run in runs])
        bounds += [
            Bound(f"{name}: lateness, p99", late_ms, LATE_P99_MS, " ms"),
            Bound(f"{name}: of a core", median([run.share for run in runs]), SHARE),
            Bound(f"{name}: a second for {RATE:.0f}", RATE / median([r.per_s for r in runs]), 1.0),
            Bound(f"{name}: failed", max(run.failed for run in runs), 0),
        ]
    figures = {name: [asdict(run) for run in runs] for name, runs in found.items()}
    return conclude(bounds, figures, output)


if __name__ == "__main__":
    raise SystemExit(main())
