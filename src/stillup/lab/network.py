"""The lab's LAN: a bridge and a client in network namespaces of their own.

Each namespace lives as long as a small process in it, its keeper, so that nothing of the
host's network or mounts is changed, and ending the lab's processes takes all of it away.
A machine's own namespace is made new at each boot (see ``supervisor``): a machine that
was switched off must not find its addresses and rules of before.
"""

import fcntl
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Interface
from pathlib import Path

from stillup.errors import LabFailed
from stillup.lab import cgroup
from stillup.lab.commands import run
from stillup.lab.cuts import Cuts, cuts_from, port_of
from stillup.lab.names import (
    BRIDGE,
    CLIENT_PORT,
    DIRECT_BRIDGE,
    DIRECT_INTERFACE,
    INTERFACE,
    on_direct,
)
from stillup.lab.namespace import is_own_network, network_of
from stillup.lab.state import Home, read_record, write_record

# The keeper joins the lab's group when it already has its namespace: whatever is found in the
# group is complete. It tells its starter that it is, and then only waits to be ended.
_KEEPER = 'mkdir -p "$1" && echo $$ >"$1/cgroup.procs" && echo ready && exec sleep infinity >&-'


# No spanning tree and no forwarding delay: a port that comes up forwards at once.
_PLAIN = "stp_state 0 forward_delay 0 mcast_snooping 0"


@dataclass(frozen=True, slots=True)
class Lan:
    """What the network is to be: the LAN and the client's addresses in it."""

    network: IPv4Network
    client: IPv4Address
    client6: IPv6Interface | None = None


def ensure(home: Home, lan: Lan) -> None:
    """Make whatever of the switch and the client is missing."""
    switch = _ensure_keeper(home, "switch")
    client = _ensure_keeper(home, "client")
    links = ports(home)
    if BRIDGE not in links:
        _ip(switch, [f"link add {BRIDGE} type bridge {_PLAIN}"])
    if DIRECT_BRIDGE not in links:
        _ip(switch, [f"link add {DIRECT_BRIDGE} type bridge {_PLAIN}"])
    _quiet(switch)
    _ip(switch, [f"link set {BRIDGE} up", f"link set {DIRECT_BRIDGE} up"])
    if CLIENT_PORT not in links:
        _ip(client, [f"link add {INTERFACE} type veth peer name {CLIENT_PORT} netns {switch}"])
    _ip(switch, [f"link set {CLIENT_PORT} master {BRIDGE}"])
    _ip(client, ["link set lo up", f"link set {INTERFACE} up"])
    address = f"{lan.client}/{lan.network.prefixlen}"
    if address not in _addresses(client):
        _ip(client, [f"address flush dev {INTERFACE}", f"address add {address} dev {INTERFACE}"])
    if lan.client6 is not None and str(lan.client6) not in _addresses(client):
        _ip(client, [f"address add {lan.client6} dev {INTERFACE} nodad"])
    with _cuts_locked(home):
        _apply_cuts(home, cuts(home))


def plug(home: Home, server: str, mac: str | None, *, direct: bool) -> None:
    """Give the calling process's own network namespace an ``eth0`` on the LAN.

    Args:
        home: The lab's.
        server: Whose network it is.
        mac: The hardware address of ``eth0``; None leaves it to the kernel.
        direct: Give it an ``eth1`` on the second network too.

    Raises:
        LabFailed: If the LAN is not there.
    """
    switch = _keeper(home, "switch")
    if switch is None:
        raise LabFailed("the lab's switch is gone; `stillup lab up` brings it back")
    with _cuts_locked(home):
        run(["ip", "-batch", "-"], "link set lo up\n")
        hardware = "" if mac is None else f" address {mac}"
        _plug(home, switch, port_of(server), BRIDGE, f"{INTERFACE}{hardware}")
        if direct:
            _plug(home, switch, port_of(on_direct(server)), DIRECT_BRIDGE, DIRECT_INTERFACE)
        _apply_cuts(home, cuts(home))


def _plug(home: Home, switch: int, port: str, bridge: str, interface: str) -> None:
    """Run a cable from ``interface`` here to a port of the switch."""
    # The kernel takes a dead namespace apart in its own time; its port may still be there,
    # and may go while it is being deleted.
    try:
        if port in ports(home):
            _ip(switch, [f"link delete {port}"])
    except LabFailed:
        if port in ports(home):
            raise
    run(
        ["ip", "-batch", "-"],
        f"link add {interface} type veth peer name {port} netns {switch}\n",
    )
    _ip(switch, [f"link set {port} master {bridge}"])


def unplug(home: Home, server: str) -> None:
    """Take a server's cable away, whether or not it has one."""
    switch = _keeper(home, "switch")
    if switch is not None:
        cables = {port_of(server), port_of(on_direct(server))} & ports(home)
        _ip(switch, [f"link set {cable} down" for cable in sorted(cables)])


def ports(home: Home) -> frozenset[str]:
    """Return the names of the switch's interfaces; none when there is no switch."""
    switch = _keeper(home, "switch")
    if switch is None:
        return frozenset()
    links = json.loads(run(["ip", "-json", "link"], inside=network_of(switch)))
    return frozenset(str(link["ifname"]) for link in links)


def has_port(home: Home, server: str) -> bool:
    """Say whether the switch has a cable to a server."""
    return port_of(server) in ports(home)


def client_network(home: Home) -> Path:
    """Return the client's network namespace.

    Raises:
        LabFailed: If the lab is not up.
    """
    return _network_of(home, "client")


def switch_network(home: Home) -> Path:
    """Return the network namespace of the switch, whose ports hear what each server sends.

    Raises:
        LabFailed: If the lab is not up.
    """
    return _network_of(home, "switch")


def _network_of(home: Home, name: str) -> Path:
    keeper = _keeper(home, name)
    if keeper is None:
        raise LabFailed("this farm's lab is not up; `stillup lab up` starts it")
    return network_of(keeper)


def cuts(home: Home) -> Cuts:
    """Return which links are cut."""
    return cuts_from(read_record(home.cuts))


def change_cuts(home: Home, changed: Cuts) -> None:
    """Cut and heal links until they are as ``changed`` says, and remember it."""
    with _cuts_locked(home):
        write_record(home.cuts, changed.record())
        _apply_cuts(home, changed)


def _apply_cuts(home: Home, wanted: Cuts) -> None:
    switch = _keeper(home, "switch")
    if switch is None:
        return
    inside = network_of(switch)
    run(["nft", "-f", "-"], wanted.ruleset(), inside=inside)
    down = {port_of(name) for name in wanted.carrier}
    cables = sorted(ports(home) - {"lo", BRIDGE, DIRECT_BRIDGE})
    _ip(switch, [f"link set {name} {'down' if name in down else 'up'}" for name in cables])


@contextmanager
def _cuts_locked(home: Home) -> Iterator[None]:
    """Keep a machine that boots and a command that cuts from crossing each other."""
    with (home.path / "network.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _keeper(home: Home, name: str) -> int | None:
    alive = cgroup.processes(cgroup.group_of(home.id) / name)
    return alive[0] if alive else None


def _ensure_keeper(home: Home, name: str) -> int:
    found = _keeper(home, name)
    if found is None:
        _start_keeper(home, name)
        found = _keeper(home, name)
    if found is None or is_own_network(found):
        raise LabFailed(f"the lab's {name} did not get a network namespace of its own")
    return found


def _start_keeper(home: Home, name: str) -> None:
    group = cgroup.group_of(home.id)
    command = ["unshare", "--net", "--", "sh", "-c", _KEEPER, "sh", str(group / name)]
    if cgroup.systemd_is_init() and not cgroup.populated(group):
        command = [
            *("systemd-run", "--scope", "--quiet", "--collect", "--slice=system.slice"),
            *(f"--unit={cgroup.scope(home.id)}", "--property=Delegate=yes"),
            *(f"--description=The lab {home.id} of stillup", "--"),
            *command,
        ]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd="/",
    ) as keeper:
        if keeper.stdout is None or keeper.stderr is None:
            raise AssertionError  # both are pipes
        if keeper.stdout.readline() != b"ready\n":
            words = keeper.stderr.read().decode(errors="replace").strip()
            raise LabFailed(f"the lab's {name} could not be started: {words}")
        # It outlives this process, so it is not waited for.
        keeper.returncode = 0


def _quiet(switch: int) -> None:
    """Keep the switch itself silent on the LAN, and the host's packet filters out of it."""
    run(
        [
            *("sysctl", "-q", "-e", "-w", "net.ipv6.conf.all.disable_ipv6=1"),
            *("net.bridge.bridge-nf-call-iptables=0", "net.bridge.bridge-nf-call-arptables=0"),
            "net.bridge.bridge-nf-call-ip6tables=0",
        ],
        inside=network_of(switch),
    )


def _addresses(process: int) -> frozenset[str]:
    links = json.loads(run(["ip", "-json", "address"], inside=network_of(process)))
    return frozenset(
        f"{entry['local']}/{entry['prefixlen']}" for link in links for entry in link["addr_info"]
    )


def _ip(process: int, lines: list[str]) -> None:
    """Run ip commands in a process's network namespace, in one go."""
    if is_own_network(process):
        raise LabFailed("refused: this would change the host's own network")
    if lines:
        run(["ip", "-batch", "-"], "\n".join([*lines, ""]), inside=network_of(process))
