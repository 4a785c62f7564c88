"""Who plays: each daemon as its package brings it, set up as its manual says.

heartbeat gets the recipe's three files made to start: ``loglife`` is refused by the real
heartbeat (it means ``logfile``), the names are those of the machines, and the watchdog is left
out, as there is none here. Planned moves are asked for as each manual has it: heartbeat by
``hb_standby``, ucarp by SIGUSR2, keepalived, which has no such command, by stopping it.
"""

import json
import os
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from bench.failover.box import python
from bench.failover.field import BALANCERS, DIRECT, VIP, VOTERS, Field
from bench.heartbeat.keepalived import CONFIGURATION

PACKAGES = ("heartbeat", "keepalived", "ucarp")
SECRET = "for the bench only"

START_S = 20.0

HA_CF = """\
logfile /var/log/ha-log
debugfile /var/log/ha-debug
deadtime 5
warntime 10
initdead 15
bcast eth1
auto_failback on
node lb1
node lb2
"""


@dataclass(frozen=True)
class Contender(ABC):
    """A daemon with one configuration.

    Args:
        name: In the table.
        ready_s: How long a start takes, until the first balancer holds the address for good.
        takes_s: How long after a fault the other one has surely taken it, if it does at all.
        setup: Its configuration in a few words.
    """

    name: str
    ready_s: float
    takes_s: float
    setup: str

    # What the windows of measurement depend on, besides.
    heals_s: float = 6.0
    moves_for_lan: bool = True
    is_ours: bool = False

    @abstractmethod
    def start(self, field: Field, name: str) -> None:
        """Start the daemon of a balancer; its process is called ``daemon``."""

    def start_all(self, field: Field) -> None:
        """Start every daemon, the preferred balancer's first."""
        for name in BALANCERS:
            self.start(field, name)

    @abstractmethod
    def move(self, field: Field) -> None:
        """Move the address from lb1 to lb2 as the manual has it."""


@dataclass(frozen=True)
class Heartbeat(Contender):
    """heartbeat 3.0.6 with the recipe's configuration, made to start."""

    heals_s: float = 24.0
    moves_for_lan: bool = False

    def start(self, field: Field, name: str) -> None:
        put = field.folder / f"{name}.ha.d"
        put.mkdir(exist_ok=True)
        (put / "ha.cf").write_text(HA_CF)
        (put / "haresources").write_text(f"lb1 IPaddr::{VIP}/24/eth0\n")
        keys = put / "authkeys"
        keys.touch(0o600)
        keys.write_text("auth 3\n1 crc\n2 sha1 password\n3 md5 password\n")
        box = field.boxes[name]
        box.run(["sh", "-c", f"cp -p {put}/* /etc/ha.d/ && chown root: /etc/ha.d/*"])
        box.start("daemon", ["/usr/libexec/heartbeat/heartbeat", "-f"])

    def move(self, field: Field) -> None:
        field.boxes["lb1"].run(["/usr/share/heartbeat/hb_standby"])


@dataclass(frozen=True)
class Keepalived(Contender):
    """keepalived, at an advertisement a second or faster."""

    interval: str = "1"

    def start(self, field: Field, name: str) -> None:
        fast = "." in self.interval
        file = field.folder / f"{name}.keepalived"
        file.write_text(
            CONFIGURATION.format(
                name=name,
                version="vrrp_version 3" if fast else "",
                router=51,
                priority=150 if name == "lb1" else 100,
                interval=self.interval,
                address=VIP,
            )
        )
        words = ["/usr/sbin/keepalived", "--dont-fork", "--log-console", "--vrrp", "-f", str(file)]
        field.boxes[name].start("daemon", words)

    def move(self, field: Field) -> None:
        field.boxes["lb1"].signal("daemon", signal.SIGTERM)


@dataclass(frozen=True)
class Ucarp(Contender):
    """ucarp as its manual's example has it."""

    def start(self, field: Field, name: str) -> None:
        for what, verb in (("up", "add"), ("down", "del")):
            script = field.folder / f"{name}.{what}"
            script.write_text(f'#!/bin/sh\nexec /sbin/ip address {verb} "$2/24" dev "$1"\n')
            script.chmod(0o755)
        words = ["/usr/sbin/ucarp", "-i", "eth0", "-s", BALANCERS[name], "-v", "1", "-p", SECRET]
        words += ["-a", VIP, "-z", "-k", "0" if name == "lb1" else "100"]
        words += ["-u", str(field.folder / f"{name}.up"), "-d", str(field.folder / f"{name}.down")]
        field.boxes[name].start("daemon", words)

    def move(self, field: Field) -> None:
        field.boxes["lb1"].signal("daemon", signal.SIGUSR2)


@dataclass(frozen=True)
class Ours(Contender):
    """Ours: two balancers and three servers more that vote, as a farm has.

    Args:
        lease_ms: Its lease.
        source: A folder with the package to run: a copy made before the first run.
    """

    lease_ms: int = 500
    source: Path = Path()
    is_ours: bool = True

    def start_all(self, field: Field) -> None:
        key = field.folder / "key"
        key.touch(0o600)
        key.write_text(SECRET + "\n")
        for name in VOTERS:
            words, environment = self._daemon(field, name)
            field.run_at(name, words, {**os.environ, **environment})
        # Whoever is fit first holds it first, and a move back within the measurement is none.
        self.start(field, "lb1")
        field.wait_for_lb1(START_S)
        self.start(field, "lb2")

    def start(self, field: Field, name: str) -> None:
        words, environment = self._daemon(field, name)
        field.boxes[name].start("daemon", words, environment)

    def move(self, field: Field) -> None:
        words, environment = self._words("failover", "--to", "lb2")
        words += ["--control", str(field.folder / "lb1.sock")]
        field.boxes["lb1"].run(["env", *(f"{k}={v}" for k, v in environment.items()), *words])

    def _daemon(self, field: Field, name: str) -> tuple[list[str], dict[str, str]]:
        file = field.folder / f"{name}.json"
        file.write_text(json.dumps(self._settings(field, name)))
        words, environment = self._words("run", "--config", str(file))
        return [*words, "--control", str(field.folder / f"{name}.sock")], environment

    def _words(self, *words: str) -> tuple[list[str], dict[str, str]]:
        command = [python(), "-s", "-P", "-m", "stillup.heartbeat", *words]
        return command, {"PYTHONPATH": str(self.source)}

    def _settings(self, field: Field, name: str) -> dict[str, object]:
        watch = {
            "pid_file": str(field.folder / f"{name}.pid"),
            "check": "http://127.0.0.1:8405/alive",
        }
        servers = {**BALANCERS, **VOTERS}
        told: dict[str, object] = {
            "farm": "bench",
            "name": name,
            "key_file": str(field.folder / "key"),
            "lease_ms": self.lease_ms,
            "candidates": list(BALANCERS),
            "voters": servers,
            "vips": [{"address": VIP, "prefix": 24, "preferred": "lb1"}],
            "address": servers[name],
            "interface": "eth0",
            "watch": watch if name in BALANCERS else None,
        }
        if name in BALANCERS and _knows_direct(self.source):
            peers = {other: address for other, address in DIRECT.items() if other != name}
            told["direct"] = {"address": DIRECT[name], "interface": "eth1", "peers": peers}
        return told


def _knows_direct(source: Path) -> bool:
    return any('"direct"' in f.read_text() for f in (source / "stillup/heartbeat").glob("set*.py"))


def copied(source: Path, to: Path) -> Path:
    """Copy the daemon's package out of a working tree, so that later edits change no run."""
    package = source / "src" / "stillup"
    for name in ("__init__.py", "errors.py"):
        (to / "stillup").mkdir(parents=True, exist_ok=True)
        shutil.copy2(package / name, to / "stillup" / name)
    shutil.copytree(package / "heartbeat", to / "stillup" / "heartbeat", dirs_exist_ok=True)
    # As the unit does: what a start takes is no part of any figure, and many start here.
    subprocess.run([python(), "-m", "compileall", "-q", str(to)], check=True)
    return to


def contenders(source: Path) -> list[Contender]:
    """Return who plays, in the table's order.

    Args:
        source: A copy of our package.
    """
    return [
        Heartbeat("heartbeat", 18.0, 8.0, "3.0.6, the recipe's configuration made to start"),
        Keepalived("keepalived", 6.0, 5.0, "as it comes: an advertisement a second", heals_s=15.0),
        Keepalived(
            "keepalived 50 ms", 3.0, 2.0, "VRRP 3, advert_int 0.05", heals_s=15.0, interval="0.05"
        ),
        Ucarp("ucarp", 9.0, 7.0, "as it comes: an advertisement a second", heals_s=8.0),
        Ours("stillup", 3.5, 2.5, "lease 500 ms, the default", source=source),
        Ours("stillup 150 ms", 3.0, 2.0, "lease 150 ms", source=source, lease_ms=150),
    ]
