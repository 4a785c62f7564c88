"""A farm of network namespaces: real daemons, a bridge between them, a client.

Three voters of which two are balancers, as small as a farm can be in which one may die. Each
has a namespace of its own with ``eth0`` in it; the bridge stands in one more namespace, so
nothing of the host's network is touched.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.asker import Asker
from tests.netns.successor import Process, Successor
from tests.wire import Watcher

from stillup.errors import ServerFailed
from stillup.heartbeat.control import ask
from stillup.heartbeat.settings_reader import Json

VIP = "10.0.0.1"
VIP6 = "fd00:10::1"
SERVERS = {"lb1": "10.0.0.2", "lb2": "10.0.0.3", "db1": "10.0.0.4"}
BALANCERS = ("lb1", "lb2")
CLIENT = "10.0.0.9"
LEASE_MS = 500
RELOAD_S = 20.0
SOURCE = Path(__file__).resolve().parents[2] / "src"
HERE = Path(__file__).resolve().parent
READY_S = 20.0
"""For three daemons and what they watch to start on a busy machine."""


def run(*words: str) -> str:
    """Run a command and return its output; its failure is the test's."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@dataclass
class Farm:
    """The namespaces and what runs in them.

    Args:
        folder: For settings, sockets and logs.
        lease_ms: The farm's lease.
        servers: Each server's address by its name; the balancers are ``BALANCERS``.
        vips: The virtual IPs and who is preferred for each.
    """

    folder: Path
    lease_ms: int = LEASE_MS
    servers: dict[str, str] = field(default_factory=lambda: dict(SERVERS))
    vips: dict[str, str] = field(default_factory=lambda: {VIP: "lb1"})
    daemons: dict[str, Process] = field(default_factory=dict)
    services: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    read_to: dict[str, int] = field(default_factory=dict)
    silenced: frozenset[str] = frozenset()

    @property
    def addresses(self) -> dict[str, str]:
        """The address of every server and of the client."""
        return {**self.servers, "client": CLIENT}

    @property
    def mark(self) -> str:
        """What the names of this farm's namespaces begin with."""
        return f"hb{os.getpid()}"

    def space(self, name: str) -> str:
        """Return the name of a server's namespace, or of the client's or the bridge's."""
        return f"{self.mark}-{name}"

    def enter(self, name: str) -> tuple[str, ...]:
        """Return the words that run a command there."""
        return ("ip", "netns", "exec", self.space(name))

    # -- building --------------------------------------------------------------------------

    def build(self) -> None:
        """Make the namespaces and the settings; nothing runs yet."""
        run("ip", "netns", "add", self.space("bridge"))
        run("ip", "-n", self.space("bridge"), "link", "add", "br0", "type", "bridge")
        run("ip", "-n", self.space("bridge"), "link", "set", "br0", "up")
        for name in self.addresses:
            run("ip", "netns", "add", self.space(name))
            run("ip", "-n", self.space(name), "link", "set", "lo", "up")
            self.connect(name)
        key = self.folder / "key"
        key.touch(0o600)
        key.write_text("a key for these tests only\n")
        for name in self.servers:
            self.tell(name, self.settings(name))

    def make_whole(self) -> None:
        """Undo every fault, and have each address held by whom it prefers, with all well."""
        for name in self.servers:
            self.link(name, "up")
        for name in list(self.silenced):
            self.forward(name, on=True)
        for name in BALANCERS:
            if not is_running(self.services.get(name)):
                self.start_service(name)
        for name in self.servers:
            if not is_running(self.daemons.get(name)):
                self.start_daemon(name)
        wait_for(self._all_are_well, "all are well", READY_S)
        for vip, preferred in self.vips.items():
            self._bring(vip, preferred)
        self.read_to = {name: len(self._log(name).read_bytes()) for name in self.servers}

    def destroy(self) -> None:
        """End everything and remove the namespaces."""
        for process in (*self.daemons.values(), *self.services.values()):
            end(process)
        for name in ("bridge", *self.addresses):
            with contextlib.suppress(RuntimeError):
                run("ip", "netns", "delete", self.space(name))

    def settings(self, name: str) -> dict[str, Json]:
        """Return a daemon's settings."""
        watch: Json = None
        if name in BALANCERS:
            watch = {
                "pid_file": str(self._pid_file(name)),
                "check": "http://127.0.0.1:8405/alive",
            }
        return {
            "farm": "tests",
            "name": name,
            "key_file": str(self.folder / "key"),
            "lease_ms": self.lease_ms,
            "candidates": list(BALANCERS),
            "voters": dict(self.servers),
            "vips": [
                {"address": vip, "prefix": 64 if ":" in vip else 24, "preferred": preferred}
                for vip, preferred in self.vips.items()
            ],
            "address": self.servers[name],
            "interface": "eth0",
            "watch": watch,
        }

    def tell(self, name: str, settings: dict[str, Json]) -> None:
        """Write a daemon's settings; it reads them when it starts."""
        self._settings(name).write_text(json.dumps(settings))

    def start_daemon(self, name: str) -> None:
        """Start a server's daemon."""
        argv = [*self.enter(name), sys.executable, "-m", "stillup.heartbeat", "run"]
        argv += ["--config", str(self._settings(name)), "--control", str(self.control(name))]
        with self._log(name).open("ab") as log:
            self.daemons[name] = subprocess.Popen(
                argv, stderr=log, env={**os.environ, "PYTHONPATH": str(SOURCE)}
            )

    def start_service(self, name: str) -> None:
        """Start what stands for HAProxy and wait until it listens."""
        argv = [*self.enter(name), sys.executable, str(HERE / "web_server.py"), name]
        argv.append(str(self._pid_file(name)))
        # It prefers its session.
        started = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)
        self.services[name] = started
        assert started.stdout is not None
        with started.stdout as said:
            assert said.readline() == b"listening\n"

    def control(self, name: str) -> Path:
        """Return where a daemon listens for questions."""
        return self.folder / f"{name}.sock"

    def log(self, name: str) -> str:
        """Return what a daemon has logged since the farm was whole."""
        return self._log(name).read_bytes()[self.read_to.get(name, 0) :].decode()

    # -- asking ----------------------------------------------------------------------------

    def status(self, name: str) -> dict[str, Json]:
        """Return a daemon's status; empty if it does not answer."""
        try:
            return ask(self.control(name), {"op": "status"})
        except ServerFailed:
            return {}

    def holder(self, vip: str = VIP) -> str | None:
        """Return which balancer holds an address, by its own word."""
        holding = [name for name in BALANCERS if self.holds(name, vip)]
        return holding[0] if len(holding) == 1 else None

    def holds(self, name: str, vip: str = VIP) -> bool:
        """Return whether a balancer says that it holds an address."""
        holding = self.status(name).get("holding")
        return isinstance(holding, list) and vip in holding

    def hardware(self, name: str) -> str:
        """Return the hardware address of a server's ``eth0``."""
        words = run("ip", "-n", self.space(name), "-o", "link", "show", "eth0").split()
        return words[words.index("link/ether") + 1]

    def asker(self, vip: str = VIP) -> Asker:
        """Start a client that asks through a virtual IP every 5 ms."""
        host, output = f"[{vip}]" if ":" in vip else vip, self.folder / f"asked-{vip}.json"
        return Asker(self.enter("client"), f"http://{host}/", output)

    def watcher(self, vip: str = VIP, *, ask_s: float = 0.01, arp_only: bool = False) -> Watcher:
        """Start a watcher on the wire."""
        ports, seen = list(self.servers), self.folder / f"seen-{vip}.json"
        return Watcher(self.enter("bridge"), vip, seen, ask_s=ask_s, ports=ports, arp_only=arp_only)

    # -- faults ----------------------------------------------------------------------------

    def link(self, name: str, state: str) -> None:
        """Set a server's cable ``up`` or ``down``; both ends notice."""
        run("ip", "-n", self.space("bridge"), "link", "set", name, state)

    def forward(self, name: str, *, on: bool) -> None:
        """Have the bridge forward a server's frames, or drop them without its noticing."""
        state = "3" if on else "0"
        self.silenced = self.silenced - {name} if on else self.silenced | {name}
        words = ("ip", "netns", "exec", self.space("bridge"), "bridge", "link", "set")
        run(*words, "dev", name, "state", state)

    def reload(self, name: str, key: Path | None = None) -> dict[str, Json]:
        """Have a daemon replaced, with its settings and key as they are in the files now.

        Returns:
            Its answer, when the old process has ended.
        """
        paths = (self._settings(name), key or self.folder / "key")
        with contextlib.ExitStack() as opened:
            files = [opened.enter_context(path.open("rb")).fileno() for path in paths]
            answer = ask(self.control(name), {"op": "reload"}, files, RELOAD_S)
        process = answer["pid"]
        assert isinstance(process, int)
        self.follow(name, process)
        return answer

    def follow(self, name: str, process: int) -> None:
        """Take note of the process that has taken a daemon's place, when the old one has ended."""
        self.daemons[name].wait(RELOAD_S)
        self.daemons[name] = Successor(process)

    def signal_daemon(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a daemon."""
        self.daemons[name].send_signal(number)

    # -- steps -----------------------------------------------------------------------------

    def _bring(self, vip: str, to: str) -> None:
        """Have ``to`` hold an address."""
        (other,) = set(BALANCERS) - {to}
        if self.holder(vip) != to:
            asked: dict[str, Json] = {"op": "yield", "seconds": 5, "to": to, "address": vip}
            ask(self.control(other), asked)
        wait_for(lambda: self.holder(vip) == to, f"{to} holds {vip}")
        ask(self.control(other), {"op": "resume", "address": vip})

    def _all_are_well(self) -> bool:
        told = {name: self.status(name) for name in self.servers}
        return (
            all(status.get("silent_s") == 0 for status in told.values())
            and all(told[name].get("healthy") for name in BALANCERS)
            and all(self.holder(vip) is not None for vip in self.vips)
        )

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _settings(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _pid_file(self, name: str) -> Path:
        return self.folder / f"{name}.pid"

    def connect(self, name: str) -> None:
        """Give a server or the client an ``eth0``, with its cable in the bridge."""
        space, bridge, address = self.space(name), self.space("bridge"), self.addresses[name]
        peer = ("peer", "name", name, "netns", bridge)
        run("ip", "-n", space, "link", "add", "eth0", "type", "veth", *peer)
        run("ip", "-n", bridge, "link", "set", name, "master", "br0", "up")
        run("ip", "-n", space, "address", "add", f"{address}/24", "dev", "eth0")
        sixth = f"fd00:10::{address.rpartition('.')[2]}/64"
        run("ip", "-n", space, "address", "add", sixth, "dev", "eth0", "nodad")
        run("ip", "-n", space, "link", "set", "eth0", "up")


F = TypeVar("F", bound=Farm)


@contextlib.contextmanager
def built(made: F) -> Iterator[F]:
    """Make a farm's namespaces, and remove them at the end."""
    try:
        made.build()
        yield made
    finally:
        made.destroy()


@contextlib.contextmanager
def whole(farm: F) -> Iterator[F]:
    """Have all well in a farm; what its daemons log is shown when a test fails."""
    farm.make_whole()
    yield farm
    for name in farm.daemons:
        print(f"--- {name}\n{farm.log(name)}")  # noqa: T201 - shown when the test fails


def is_running(process: Process | None) -> bool:
    """Wake a process if it is stopped, and return whether it runs."""
    if process is None or process.poll() is not None:
        return False
    process.send_signal(signal.SIGCONT)
    return True


def end(process: Process) -> None:
    """Kill a process, whatever state it is in."""
    process.kill()
    process.wait()


def wait_for(is_so: Callable[[], bool], what: str, within_s: float = 10.0) -> None:
    """Wait until something is so."""
    end_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > end_s:
            raise TimeoutError(f"not within {within_s} s: {what}")
        time.sleep(0.02)
