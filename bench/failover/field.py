"""The field on which each contender plays: two machines, their LAN, their link, and a client.

``eth0`` of every machine is on the LAN, ``eth1`` joins the two balancers, as in the recipe. A
host on the LAN serves an endless stream, for a connection that stays open through a move.
"""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from bench.failover.box import Box, python

VIP = "10.0.0.1"
BALANCERS = {"lb1": "10.0.0.2", "lb2": "10.0.0.3"}
VOTERS = {"web1": "10.0.0.4", "web2": "10.0.0.5", "db1": "10.0.0.6"}
DIRECT = {"lb1": "10.100.100.1", "lb2": "10.100.100.2"}
CLIENT, ORIGIN = "10.0.0.9", "10.0.0.250"
HERE = Path(__file__).resolve().parent

HAPROXY = """\
global
    maxconn 4000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend alive
    bind 127.0.0.1:8405
    http-request return status 200
frontend web
    bind :80
    http-request return status 200 content-type text/plain string {name}
listen stream
    mode tcp
    bind :81
    server origin {origin}:9000
"""


class Unready(Exception):
    """A contender's first balancer did not come to hold the address."""


class Field:
    """Everything but the contender's daemons; one run happens on it.

    Args:
        mark: What the names of its namespaces begin with.
        folder: For what is written.
        engines: Where the packages are unpacked.
        voters: Whether the three servers that only vote are there too.
    """

    def __init__(self, mark: str, folder: Path, engines: Path, *, voters: bool) -> None:
        self.folder = folder
        self.boxes: dict[str, Box] = {}
        self._mark = mark
        self._engines = engines
        self._others = {**(VOTERS if voters else {}), "client": CLIENT}
        self._plain: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Field":
        try:
            self._wire()
            for name in BALANCERS:
                self.boxes[name] = Box(name, self.space(name), self.folder, self._engines)
                self.start_haproxy(name)
            self.run_at("bridge", [python(), str(HERE / "origin.py"), ORIGIN])
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def space(self, name: str) -> str:
        """Return the name of a namespace on this host."""
        return f"{self._mark}-{name}"

    def enter(self, name: str) -> tuple[str, ...]:
        """Return the words that run a command in a namespace."""
        return ("ip", "netns", "exec", self.space(name))

    def run_at(
        self, name: str, words: Sequence[str], environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program in the network of a host that is no machine of its own."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*self.enter(name), *words], stdout=log, stderr=log, env=environment
            )
        self._plain.append(process)
        return process

    def start_haproxy(self, name: str) -> None:
        """Start a balancer's HAProxy."""
        file = self.folder / f"{name}.cfg"
        file.write_text(HAPROXY.format(name=name, origin=ORIGIN))
        words = ["/usr/sbin/haproxy", "-W", "-db", "-f", str(file)]
        self.boxes[name].start("haproxy", [*words, "-p", str(self.folder / f"{name}.pid")])

    def lan(self, name: str, state: str) -> None:
        """Set the carrier of a balancer's ``eth0`` ``up`` or ``down``."""
        self._ip([f"link set {name} {state}"], "bridge")

    def unplug(self, name: str) -> None:
        """Take both cables out at once."""
        self._ip([f"link set {name} down", f"link set {name}d down"], "bridge")

    def forward(self, port: str, *, on: bool) -> None:
        """Have a bridge forward a port's frames, or drop them without anybody's noticing."""
        state = "3" if on else "0"
        words = [*self.enter("bridge"), "bridge", "link", "set", "dev", port, "state", state]
        subprocess.run(words, check=True, capture_output=True)

    def has_address(self, name: str) -> bool:
        """Return whether the address is on a balancer's ``eth0``."""
        words = ["ip", "-n", self.space(name), "-o", "address", "show", "dev", "eth0"]
        told = subprocess.run(words, capture_output=True, text=True, check=False).stdout
        return f" {VIP}/" in told

    def wait_for_lb1(self, within_s: float) -> None:
        """Wait until the first balancer has the address.

        Raises:
            Unready: If that takes too long.
        """
        end_s = time.monotonic() + within_s
        while not self.has_address("lb1"):
            if time.monotonic() > end_s:
                raise Unready("lb1 does not come to hold the address")
            time.sleep(0.1)

    def sent(self, name: str) -> int:
        """Return how many packets a balancer has sent on both interfaces."""
        found = 0
        for device in ("eth0", "eth1"):
            path = f"/sys/class/net/{device}/statistics/tx_packets"
            words = [*self.enter(name), "cat", path]
            found += int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
        return found

    def remove(self) -> None:
        """End everything and take the namespaces away."""
        for process in self._plain:
            process.kill()
            process.wait()
        for box in self.boxes.values():
            box.end()
        for name in ("bridge", *BALANCERS, *self._others):
            words = ["ip", "netns", "delete", self.space(name)]
            subprocess.run(words, check=False, capture_output=True)

    def _wire(self) -> None:
        names = [*BALANCERS, *self._others]
        self._ip([f"netns add {self.space(name)}" for name in ("bridge", *names)])
        made = ["link set lo up"]
        for bridge in ("lan", "direct"):
            made += [f"link add {bridge} type bridge forward_delay 0", f"link set {bridge} up"]
        made += [f"address add {ORIGIN}/24 dev lan"]
        self._ip(made, "bridge")
        for name, address in {**BALANCERS, **self._others}.items():
            self._plug(name, "eth0", (name, "lan"), address)
        for name, address in DIRECT.items():
            self._plug(name, "eth1", (f"{name}d", "direct"), address)

    def _plug(self, name: str, device: str, port: tuple[str, str], address: str) -> None:
        peer = f"peer name {port[0]} netns {self.space('bridge')}"
        lines = ["link set lo up", f"link add {device} type veth {peer}"]
        lines += [
            f"address add {address}/24 dev {device} broadcast +",
            f"link set {device} addrgenmode none up",
        ]
        self._ip(lines, name)
        self._ip([f"link set {port[0]} master {port[1]} up"], "bridge")

    def _ip(self, lines: Sequence[str], name: str | None = None) -> None:
        where = [] if name is None else ["-n", self.space(name)]
        text = "\n".join(lines) + "\n"
        words = ["ip", *where, "-batch", "-"]
        done = subprocess.run(words, input=text, text=True, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"ip: {done.stderr.strip()}")
