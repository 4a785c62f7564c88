"""The daemon without a farm: from its own TOML, and straight from the recipe's ``/etc/ha.d``.

The same files on every server: which one it is, its address and its interface each daemon finds
out by itself, so each runs with a host name and an ``/etc/hosts`` of its own.
"""

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.netns.farm import SOURCE, VIP, Farm, built, end, run, wait_for
from tests.wire import overlaps

pytestmark = [pytest.mark.netns, pytest.mark.timeout(90)]

ROOT = SOURCE.parent
ROUTER = "10.0.0.254"
HOSTS = "127.0.0.1 localhost\n10.0.0.2 haproxy-01\n10.0.0.3 haproxy-02\n"
HOST_NAMES = {"lb1": "haproxy-01", "lb2": "haproxy-02"}

ENTER = """
hostname "$1"
mount --bind "$2" /etc/hosts
shift 2
exec "$@"
"""


class Alone(Farm):
    """A farm whose daemons are told by files of their own; nothing is watched."""

    source: Path

    def start_alone(self, name: str, host_name: str) -> None:
        """Start a server's daemon by ``stillup heartbeat FILE``, under a host name."""
        hosts = self.folder / "hosts"
        hosts.write_text(HOSTS)
        argv = [*self.enter(name), "unshare", "--uts", "--mount", "sh", "-ec", ENTER, "sh"]
        argv += [host_name, str(hosts), sys.executable, "-m", "stillup", "heartbeat"]
        argv += [str(self.source), "--control", str(self.control(name))]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.daemons[name] = subprocess.Popen(
                argv, stderr=log, env={**os.environ, "PYTHONPATH": str(SOURCE)}
            )

    def stillup(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Ask a server's daemon by the command line."""
        argv = [sys.executable, "-m", "stillup", "heartbeat", *words]
        argv += ["--control", str(self.control(name))]
        env = {**os.environ, "PYTHONPATH": str(SOURCE)}
        return subprocess.run(argv, capture_output=True, text=True, check=False, env=env)

    def all_logs(self) -> str:
        """Return what all daemons have logged."""
        return "\n".join(f"--- {file}\n{file.read_text()}" for file in self.folder.glob("*.log"))


@pytest.fixture
def alone(namespaces: None, tmp_path: Path) -> Iterator[Alone]:
    with built(Alone(tmp_path)) as made:
        run("ip", "-n", made.space("bridge"), "address", "add", f"{ROUTER}/24", "dev", "br0")
        for name in HOST_NAMES:
            run("ip", "-n", made.space(name), "route", "add", "default", "via", ROUTER)
        yield made
        print(made.all_logs())  # noqa: T201 - shown when the test fails


def holds(farm: Alone, name: str) -> bool:
    return bool(farm.status(name).get("holding"))


def move_and_die(farm: Alone, lease_s: float) -> None:
    """The first one holds; its machine dies and the second one does; two never answer."""
    wait_for(lambda: holds(farm, "lb1"), "lb1 holds", 3 * lease_s + 10)
    watcher = farm.watcher()
    farm.link("lb1", "down")
    end(farm.daemons["lb1"])
    wait_for(lambda: holds(farm, "lb2"), "lb2 holds", 4 * lease_s + 5)
    pinged = subprocess.run(
        [*farm.enter("client"), "ping", "-c1", "-W2", VIP], capture_output=True, check=False
    )
    assert pinged.returncode == 0
    servers = {farm.hardware(name) for name in HOST_NAMES}
    heard = [sighting for sighting in watcher.stop() if sighting.hardware in servers]
    assert overlaps(heard, lease_s) == []


def test_three_servers_from_the_same_toml(alone: Alone) -> None:
    text = (ROOT / "examples/heartbeat.toml").read_text()
    alone.source = alone.folder / "heartbeat.toml"
    alone.source.write_text(text.partition("[watch]")[0])
    key = alone.folder / "heartbeat.key"
    key.touch(0o600)
    key.write_text("a key for these tests only\n")

    for name in ("lb1", "lb2", "db1"):
        alone.start_alone(name, name)
    wait_for(lambda: holds(alone, "lb1"), "lb1 holds")
    told = alone.stillup("lb1", "status").stdout

    assert f"{VIP}: held by lb1 (this server)" in told
    assert "lb1: fit (nothing is watched); lease 500 ms" in told
    for giver, taker in (("lb1", "lb2"), ("lb2", "lb1")):
        moved = alone.stillup(giver, "failover", "--to", taker)
        assert moved.returncode == 0, moved.stderr
        wait_for(functools.partial(holds, alone, taker), f"{taker} holds")
    move_and_die(alone, 0.5)

    (alone.folder / "heartbeat.toml").write_text("port = 0\n")
    refused = alone.stillup("lb2", "reload")
    assert (refused.returncode, holds(alone, "lb2")) == (1, True)
    assert "port: must be a whole number" in refused.stderr

    alone.source.write_text(text.partition("[watch]")[0])
    reloaded = alone.stillup("lb2", "reload")
    assert (reloaded.returncode, holds(alone, "lb2")) == (0, True), reloaded.stderr
    successor = alone.status("lb2")["pid"]
    assert isinstance(successor, int)
    assert successor != alone.daemons["lb2"].pid
    os.kill(successor, signal.SIGKILL)


@pytest.mark.parametrize("mended", [False, True], ids=["as printed", "with logfile"])
def test_two_servers_straight_from_the_recipe(*, alone: Alone, mended: bool) -> None:
    alone.source = alone.folder / "ha.d"
    alone.source.mkdir()
    log = alone.folder / "var/ha-log"
    for name in ("ha.cf", "authkeys", "haresources"):
        text = (ROOT / "examples/ha.d" / name).read_text()
        text = text.replace("/var/log", str(log.parent))
        (alone.source / name).touch(0o600)
        (alone.source / name).write_text(text.replace("loglife", "logfile") if mended else text)

    for name, host_name in HOST_NAMES.items():
        alone.start_alone(name, host_name)

    move_and_die(alone, 5.0)
    assert f"vip acquired address={VIP}" in log.read_text()
    assert ("is a misspelling of logfile" in alone.all_logs()) is not mended
