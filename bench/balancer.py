"""How fast the balancer is: our HAProxy configuration beside the old recipe's and none at all.

A client, a balancer and a web server, each a network namespace over the lab's image, on a
switch of their own, sharing this machine's processors. The web server is ours (nginx and
PHP-FPM as rendered). Both HAProxys run all the time, each on an address of its own; wrk asks
straight, through the recipe and through ours in short turns, so that whatever else the machine
does falls on all three. A round in which other programs took more than 15 % of the processors
is measured again, for as long as the patience lasts; what is left of such rounds is said. Judged
is the median of each round's own ratio.

Ours is the configuration as ``stillup render`` writes it. The recipe's is its own file below
Debian's default one, as it says, with two changes without which HAProxy 3 does not start or
serve it here: the address on a ``bind`` line of its own, and one web server instead of two.
"""

import argparse
import contextlib
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stillup.lab.image import image
from stillup.model.farm import Farm, Secrets
from stillup.model.read import read_farm
from stillup.node.bundle import Bundle, Facts
from stillup.parts.base import SYSCTLS
from stillup.parts.bundle import wanted
from stillup.parts.heartbeat import TELLS_HAPROXY

FARM = b"""
[farm]
name = "bench"
[network]
lan = "10.0.0.0/24"
[vip]
addresses = ["10.0.0.1"]
[site]
hosts = ["bench.example"]
source = "site/"
[balancer]
sticky = "PHPSESSID"
check = "/health"
[tls]
enabled = false
[servers]
lb1 = { address = "10.0.0.2", roles = ["balancer"] }
lb2 = { address = "10.0.0.3", roles = ["balancer"] }
web1 = { address = "10.0.0.4", roles = ["web"] }
db1 = { address = "10.0.0.7", roles = ["database"] }
"""
RECIPE = """
listen     php-cluster
                 bind 10.0.0.200:80
                 mode http
                 stats enable
                 stats auth admin:password
                 balance roundrobin
                 option httpclose
                 option forwardfor
                 cookie JSESSIONID prefix
                 server php-01 10.0.0.4:80 cookie A check
"""
WAYS = {"straight": "10.0.0.4", "recipe": "10.0.0.200", "ours": "10.0.0.1"}
PAGES = {"1 kB page": "/1k.html", "one-line PHP page": "/line.php"}
# The promise is for the page that costs the web server least, where the balancer counts most.
PROMISED = "1 kB page"
SITE = {
    "1k.html": "x" * 1024,
    "line.php": '<?php echo "One line.";\n',
    "health.php": "<?php echo 'well';\n",
}
CLIENTS = 32
OTHERS_MOST = 0.15
PATIENCE = 3
LEAST_OF_RECIPE = 3.0
LEAST_OF_STRAIGHT = 0.6


class Host:
    """A network namespace, with processes that end when this program does."""

    def __init__(self, root: Path, lower: Path | None, files: dict[str, str]) -> None:
        self.root = root
        root.mkdir()
        place = root / "tree"
        script = "mount -t proc proc /proc; ip link set lo up; "
        if lower is not None:
            for name in ("upper", "work", "tree"):
                (root / name).mkdir()
            for path, text in files.items():
                target = root / "upper" / path.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
            script += (
                f"mount -t overlay none -o lowerdir={lower},upperdir={root}/upper,"
                f"workdir={root}/work {place}; mount --rbind /dev {place}/dev; "
                f"mount -t proc proc {place}/proc; mount -t tmpfs run {place}/run; "
                f"mkdir {place}/run/haproxy {place}/run/php; "
            )
        self.chroot = ["chroot", str(place)] if lower is not None else []
        ready, told = os.pipe()
        self.holder = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL"),
                *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"),
                *("sh", "-euc", f"{script} echo >&{told}; exec sleep infinity"),
            ],
            pass_fds=[told],
        )
        os.close(told)
        with os.fdopen(ready) as pipe:
            if not pipe.readline():
                raise SystemExit("a network namespace could not be made")
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text()
        self.pid = children.split()[0]

    def argv(self, *command: str) -> list[str]:
        enter = ["nsenter", f"--target={self.pid}", "--net", "--mount", "--pid"]
        return [*enter, *self.chroot, *command]

    def run(self, *command: str) -> str:
        done = subprocess.run(self.argv(*command), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stderr or done.stdout}")
        return done.stdout

    def start(self, *command: str) -> None:
        log = (self.root / "log").open("a")
        subprocess.Popen(self.argv(*command), stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def cpu_s(self) -> float:
        """Return the processor time of the processes that run here, in seconds."""
        inside = Path(f"/proc/{self.pid}/ns/pid").readlink()
        ticks = 0
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (process / "ns/pid").readlink() == inside:
                    words = (process / "stat").read_text().rpartition(")")[2].split()
                    # With those of children that have ended (proc_pid_stat(5), 14 to 17).
                    ticks += sum(map(int, words[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def plug(self, switch: "Host", *addresses: str) -> None:
        """Connect this host to the switch."""
        port = self.root.name
        subprocess.run(
            [
                *("ip", "link", "add", "eth0", "netns", self.pid, "type", "veth"),
                *("peer", "name", port, "netns", switch.pid),
            ],
            check=True,
        )
        switch.run("ip", "link", "set", port, "master", "lan", "up")
        self.run("ip", "link", "set", "eth0", "up")
        for address in addresses:
            self.run("ip", "address", "add", f"{address}/24", "dev", "eth0")


@dataclass(frozen=True)
class Hosts:
    """The three hosts of a measurement."""

    client: Host
    balancer: Host
    web: Host

    def cpu_s(self) -> float:
        """Return the processor time of everything that is measured, in seconds."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        running = sum(host.cpu_s() for host in (self.balancer, self.web))
        return ended.ru_utime + ended.ru_stime + running


def main() -> int:
    """Measure, print, and say by the exit code whether ours is fast enough."""
    arguments = _arguments()
    if os.geteuid() != 0:
        raise SystemExit("bench/balancer: network namespaces need root")
    # A later interruption must also end what was started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _network() as hosts:
        figures = {
            page: _measure(hosts, page, path, arguments.rounds, arguments.seconds)
            for page, path in PAGES.items()
        }
    kept = {page: _told(page, found) for page, found in figures.items()}
    return 0 if kept[PROMISED] else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/balancer", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=1, help="of each measurement")
    return parser.parse_args()


@contextlib.contextmanager
def _network() -> Iterator[Hosts]:
    """Make the namespaces and everything that runs in them."""
    lower = image(lambda line: print(line, file=sys.stderr))
    farm = read_farm(FARM, "bench")
    assert isinstance(farm, Farm)
    hosts: list[Host] = []
    with tempfile.TemporaryDirectory(prefix="stillup-bench-") as name:
        subprocess.run(["mount", "-t", "tmpfs", "stillup-bench", name], check=True)
        try:
            folder = Path(name)
            switch = _host(hosts, folder / "switch", None, {})
            switch.run("ip", "link", "add", "lan", "type", "bridge")
            switch.run("ip", "link", "set", "lan", "up")
            web = _host(hosts, folder / "web", lower, _web_files(farm))
            web.plug(switch, "10.0.0.4")
            balancer = _host(hosts, folder / "balancer", lower, _balancer_files(farm, lower))
            balancer.plug(switch, "10.0.0.2", WAYS["ours"], WAYS["recipe"])
            client = _host(hosts, folder / "client", None, {})
            client.plug(switch, "10.0.0.99")
            _serve(web, balancer)
            _await_answers(client)
            yield Hosts(client, balancer, web)
        finally:
            for host in hosts:
                host.holder.kill()
                host.holder.wait()
            subprocess.run(["umount", "--lazy", name], check=True)


def _host(hosts: list[Host], root: Path, lower: Path | None, files: dict[str, str]) -> Host:
    host = Host(root, lower, files)
    hosts.append(host)
    for key, value in SYSCTLS:
        host.run("sysctl", "-qw", f"{key}={value}")
    return host


def _bundle(farm: Farm, name: str) -> Bundle:
    server = farm.server(name)
    assert server is not None
    secrets = Secrets("00" * 32, "bench", "bench", "")
    return wanted(farm, server, secrets, Facts(13, "8.4", "eth0", "3.13"), {})


def _web_files(farm: Farm) -> dict[str, str]:
    files = {file.path: file.text for file in _bundle(farm, "web1").files}
    site = {f"/srv/site/current/{name}": text for name, text in SITE.items()}
    # The package's own pool listens elsewhere and would only be in the way.
    return {**files, **site, "/etc/php/8.4/fpm/pool.d/www.conf": ""}


def _balancer_files(farm: Farm, lower: Path) -> dict[str, str]:
    debian = (lower / "etc/haproxy/haproxy.cfg").read_text()
    # Both run beside each other, so the recipe's gets a socket of its own.
    recipe = debian.replace("admin.sock", "recipe.sock").replace("\tdaemon\n", "") + RECIPE
    ours = {file.path: file.text for file in _bundle(farm, "lb1").files}
    return {**ours, "/etc/haproxy/recipe.cfg": recipe}


def _serve(web: Host, balancer: Host) -> None:
    web.run("rm", "-f", "/etc/nginx/sites-enabled/default")
    web.start("php-fpm8.4", "--nodaemonize", "--fpm-config", "/etc/php/8.4/fpm/php-fpm.conf")
    web.start("nginx", "-g", "daemon off;")
    ours = ("-f", "/etc/haproxy/haproxy.cfg", "-f", "/etc/haproxy/stats.cfg")
    balancer.run("groupadd", "--force", "--system", TELLS_HAPROXY)
    balancer.run("haproxy", "-c", "-q", *ours)
    balancer.start("haproxy", "-W", *ours)
    balancer.start("haproxy", "-W", "-f", "/etc/haproxy/recipe.cfg")


def _await_answers(client: Host) -> None:
    for page in PAGES.values():
        for way, address in WAYS.items():
            ask = ("curl", "--silent", "--fail", "--output", "/dev/null", "--retry", "40")
            retry = ("--retry-delay", "1", "--retry-all-errors", "--retry-max-time", "40")
            print(f"waiting for {way} {page}", file=sys.stderr)
            client.run(*ask, *retry, f"http://{address}{page}")
    # Longer than slowstart, during which a web server gets only a part of the requests.
    time.sleep(12)


@dataclass(frozen=True)
class Round:
    """One turn of each way: requests a second, and the share of the processors others took."""

    rates: dict[str, float]
    others: float


def _measure(hosts: Hosts, page: str, path: str, rounds: int, seconds: int) -> list[Round]:
    """Measure until there are enough undisturbed rounds, or the patience ends."""
    done: list[Round] = []
    for number in range(1, PATIENCE * rounds + 1):
        done.append(_round(hosts, path, seconds))
        last = ", ".join(f"{way} {rate:,.0f}" for way, rate in done[-1].rates.items())
        others = f"others took {done[-1].others:.0%} of the processors"
        print(f"{page}, round {number}: {last} requests/s; {others}", file=sys.stderr)
        if sum(one.others <= OTHERS_MOST for one in done) == rounds:
            break
    return sorted(done, key=lambda one: one.others)[:rounds]


def _round(hosts: Hosts, path: str, seconds: int) -> Round:
    rates: dict[str, float] = {}
    others = 0.0
    for way, address in WAYS.items():
        began_s, busy_s, own_s = time.monotonic(), _busy_s(), hosts.cpu_s()
        rates[way] = _wrk(hosts.client, f"http://{address}{path}", seconds)
        there_were_s = (time.monotonic() - began_s) * (os.cpu_count() or 1)
        others_s = (_busy_s() - busy_s) - (hosts.cpu_s() - own_s)
        others = max(others, others_s / there_were_s)
    return Round(rates, others)


def _busy_s() -> float:
    """Return how long all processors together have been busy, or were taken from us (steal)."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, words[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _wrk(client: Host, address: str, seconds: int) -> float:
    # A thread a processor: with one, the straight way runs at either of two speeds, as its web
    # server happens to share that thread's processor or not.
    threads = min(os.cpu_count() or 1, CLIENTS)
    said = client.run("wrk", f"-t{threads}", f"-c{CLIENTS}", f"-d{seconds}s", address)
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"not every request was answered well:\n{said}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found is not None
    return float(found[1])


def _told(page: str, rounds: list[Round]) -> bool:
    """Print a page's figures and return whether ours is fast enough."""
    of_recipe, of_straight = (
        statistics.median(one.rates["ours"] / one.rates[way] for one in rounds)
        for way in ("recipe", "straight")
    )
    kept = of_recipe >= LEAST_OF_RECIPE and of_straight >= LEAST_OF_STRAIGHT
    print(f"\n{page}, {CLIENTS} kept-alive clients, requests/s (lowest, median, highest)")
    for way in WAYS:
        found = sorted(one.rates[way] for one in rounds)
        middle = statistics.median(found)
        print(f"  {way:10}{found[0]:10,.0f}{middle:10,.0f}{found[-1]:10,.0f}")
    told = f"  ours is {of_recipe:.2f} x the recipe and {of_straight:.2f} x straight"
    promise = f" (promised {LEAST_OF_RECIPE:.1f} and {LEAST_OF_STRAIGHT:.1f}: "
    promise += f"{'kept' if kept else 'BROKEN'})"
    print(told + (promise if page == PROMISED else ""))
    disturbed = sum(one.others > OTHERS_MOST for one in rounds)
    if disturbed:
        print(f"  {disturbed} of these {len(rounds)} rounds were disturbed by other programs")
    return kept


if __name__ == "__main__":
    sys.exit(main())
