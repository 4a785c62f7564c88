"""A farm of namespaces with a real HAProxy on each balancer, for moving the address about."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.netns.engines import haproxy
from tests.netns.farm import BALANCERS, HERE, VIP, Farm, end, is_running, run, wait_for
from tests.users import Seen

from stillup.heartbeat.control import ask
from stillup.heartbeat.ruleset import table
from stillup.heartbeat.settings_reader import Json

USERS = HERE.parent / "users.py"
FIRST = ("nice", "-n", "-15")
"""What else this machine does must not look like a fault of the farm."""

HAPROXY = """
global
    stats socket {runtime} mode 600 level user
defaults
    mode http
    option idle-close-on-response
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
frontend web
{binds}
    bind {secure}:443 ssl crt {certificate} alpn h2,http/1.1
    acl given dst -u 6940 255.255.255.255
    http-after-response set-header Connection close if given
    http-after-response set-header X-Balancer {name}
    default_backend site
backend site
    server site 127.0.0.1:8080
frontend alive
    bind 127.0.0.1:8405
    http-request return status 200 content-type text/plain string ok
"""


@dataclass
class MovingFarm(Farm):
    """A farm whose address is handed over under load.

    Args:
        drain_s: How long open connections may live on at a giver.
    """

    drain_s: int = 300
    sites: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """What the names of this farm's namespaces begin with: a test may have two such farms."""
        return f"{super().mark}-{self.drain_s}"

    def settings(self, name: str) -> dict[str, Json]:
        """Return a daemon's settings."""
        told = super().settings(name)
        if name in BALANCERS:
            told |= {"haproxy": str(self._runtime(name)), "drain_s": self.drain_s}
        return told

    def start_service(self, name: str) -> None:
        """Start HAProxy and the site behind it, and wait until both answer."""
        if not is_running(self.sites.get(name)):
            argv = [*self.enter(name), *FIRST, sys.executable, str(HERE / "site.py"), "8080"]
            self.sites[name] = subprocess.Popen(argv, stdout=subprocess.PIPE)
            said = self.sites[name].stdout
            assert said is not None
            with said:
                assert said.readline() == b"listening\n"
        config = self.folder / f"{name}.cfg"
        binds = "\n".join(
            f"    bind [{vip}]:80" if ":" in vip else f"    bind {vip}:80" for vip in self.vips
        )
        config.write_text(
            HAPROXY.format(
                name=name,
                binds=binds,
                secure=VIP,
                certificate=self._certificate(),
                runtime=self._runtime(name),
            )
        )
        # A master and its worker, as under systemd: the master is told to reload.
        argv = [*self.enter(name), *FIRST, *haproxy(), "-W", "-db", "-f", str(config)]
        self.services[name] = subprocess.Popen(argv)
        self._pid_file(name).write_text(f"{self.services[name].pid}\n")
        wait_for(self._runtime(name).exists, f"HAProxy of {name}")

    def build(self) -> None:
        """Make the namespaces, with what the farm's base part sets but `arp_announce`: daemons do."""
        super().build()
        for name in self.servers:
            words = (*self.enter(name), "sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1")
            run(*words, "net.ipv4.conf.all.arp_ignore=1")
            run(*words[:-1], "net.ipv6.ip_nonlocal_bind=1")

    def destroy(self) -> None:
        """End everything."""
        for process in self.sites.values():
            end(process)
        super().destroy()

    def move(self, to: str, vip: str = VIP) -> None:
        """Have an address moved, and wait until it is held there."""
        (giver,) = [name for name in BALANCERS if name != to]
        ask(self.control(giver), {"op": "failover", "to": to, "address": vip})
        wait_for(lambda: self.holds(to, vip), f"{to} holds {vip}")

    def handing(self, name: str) -> dict[str, Json]:
        """Return what a daemon tells of its hand-overs."""
        vips = self.status(name).get("vips")
        told = vips[0] if isinstance(vips, list) else None
        found = told.get("handing") if isinstance(told, dict) else None
        return found if isinstance(found, dict) else {}

    def users(self, seconds: float, *words: str, vip: str = VIP) -> "Users":
        """Let users in for that long."""
        argv = ["--address", vip, "--seconds", str(seconds), *words]
        return Users(self.enter("client"), argv, self.folder / "users.json")

    def where(self, name: str) -> list[str]:
        """Return the interfaces of a server that the address is on."""
        shown = json.loads(run("ip", "-n", self.space(name), "-json", "address", "show"))
        return [
            str(link["ifname"])
            for link in shown
            if any(each["local"] == VIP for each in link["addr_info"])
        ]

    def let_in(self, name: str) -> set[str]:
        """Return the exceptions that a server's kernel makes for the address, by their sets."""
        words = (*self.enter(name), "nft", "--json", "list", "ruleset")
        sets = [each["set"] for each in json.loads(run(*words))["nftables"] if "set" in each]
        return {
            str(each["name"])
            for each in sets
            if each["table"] == table(VIP) and each.get("elem") and each["name"] != "ticket"
        }

    def reload_service(self, name: str) -> None:
        """Have HAProxy read its configuration anew, as ``systemctl reload`` does."""
        self.services[name].send_signal(signal.SIGUSR2)

    def _certificate(self) -> Path:
        """Return the site's certificate with its key."""
        both = self.folder / "site.pem"
        if not both.exists():
            words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
            files = [self.folder / "key.pem", self.folder / "certificate.pem"]
            said = ("-subj", "/CN=tests", "-keyout", str(files[0]), "-out", str(files[1]))
            run(*words.split(), *said)
            both.write_text("".join(file.read_text() for file in files))
        return both

    def _runtime(self, name: str) -> Path:
        return self.folder / f"{name}-haproxy.sock"


class Users:
    """The users, as a program in the client's namespace."""

    def __init__(self, enter: Sequence[str], words: Sequence[str], output: Path) -> None:
        self._output = output
        argv = [*enter, sys.executable, str(USERS), *words, "--output", str(output)]
        # It prefers its session.
        self._process = subprocess.Popen(argv, start_new_session=True)

    def seen(self) -> Seen:
        """Wait until they have gone, and return what they met with."""
        assert self._process.wait() == 0
        found = Seen(**json.loads(self._output.read_text()))
        print(replace(found, waits=found.waits[:20]))  # noqa: T201 - shown when the test fails
        return found
