"""The storage server's firewall in a network namespace: who reaches its NFS, and what else.

In the lab the storage server may run as User-Mode Linux, whose kernel has no nftables for IP.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stillup.model.farm import Farm
from stillup.model.read import read_farm
from stillup.parts.firewall import rules
from stillup.parts.ports import NFS

pytestmark = [pytest.mark.netns, pytest.mark.timeout(60)]

RECIPE = Path(__file__).resolve().parents[2] / "examples" / "recipe.toml"
PORTMAPPER = 111
_LISTEN = """\
import socket, sys
listening = [socket.create_server(("", int(port))) for port in sys.argv[1:]]
print("ready", flush=True)
sys.stdin.read()
"""
_ASK = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.5, (sys.argv[3], 0))"


@dataclass(frozen=True)
class Storage:
    """The storage server's namespace, and beside it one with the addresses of all the others."""

    farm: Farm
    others: subprocess.Popen[str]

    def is_reached(self, port: int, by: str) -> bool:
        """Tell whether the server named ``by`` gets a connection to a port of the storage server."""
        addresses = {server.name: str(server.address) for server in self.farm.servers}
        ask = [sys.executable, "-c", _ASK, addresses["nfs1"], str(port), addresses[by]]
        return run(self.others.pid, *ask).returncode == 0


def run(process: int, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    inside = ["nsenter", f"--net=/proc/{process}/ns/net", *words]
    return subprocess.run(inside, input=given, capture_output=True, text=True, check=False)


def started(*words: str) -> subprocess.Popen[str]:
    """Start the listener in a namespace of its own; it ends with its standard input."""
    process = subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", _LISTEN, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.fixture
def storage(namespaces: None) -> Iterator[Storage]:
    farm = read_farm(RECIPE.read_bytes(), RECIPE.name)
    assert isinstance(farm, Farm), farm
    server = next(server for server in farm.servers if server.name == "nfs1")
    others, itself = started(), started(str(NFS), str(PORTMAPPER))
    try:
        joined = f"link add eth0 type veth peer name eth0 netns {itself.pid}\nlink set eth0 up\n"
        for other in farm.servers:
            if other != server:
                joined += f"address add {other.address}/24 dev eth0\n"
        assert run(others.pid, "ip", "-batch", "-", given=joined).returncode == 0
        up = f"link set eth0 up\naddress add {server.address}/24 dev eth0\n"
        assert run(itself.pid, "ip", "-batch", "-", given=up).returncode == 0
        loaded = run(itself.pid, "nft", "--file", "-", given=rules(farm, server))
        assert loaded.returncode == 0, loaded.stderr
        yield Storage(farm, others)
    finally:
        for process in (others, itself):
            process.communicate()


def test_only_the_web_servers_reach_nfs_and_nobody_a_portmapper(storage: Storage) -> None:
    reached = {server.name for server in storage.farm.servers if server.name != "nfs1"}
    assert {name for name in reached if storage.is_reached(NFS, name)} == {"web1", "web2"}
    assert not storage.is_reached(PORTMAPPER, "web1")
